from __future__ import annotations

import json
from bisect import bisect_left
from pathlib import Path
from typing import Any

import pytest
import torch

from cclearn.engines import Answer, Request
from cclearn.engines.base import TokenPiece
from cclearn.engines.local import LocalEngine
from cclearn.engines.read_ahead import answer_budget
from cclearn.errors import ConfigurationError, DataError
from cclearn.notes import CodedNote
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import encode_prompt
from cclearn.prompts.grammar import document_grammar
from cclearn.training.scratch import make_model
from tests.models import SHAPE


def ask(engine: LocalEngine, *grammars: str | None) -> list[Answer]:
    requests = [
        Request(str(number), document_prompt("chest pain " * number), grammar)
        for number, grammar in enumerate(grammars)
    ]
    return list(engine.generate(iter(requests)))


def test_an_answer_keeps_to_its_grammar(random_engine: LocalEngine) -> None:
    fixed, choice, free = ask(random_engine, 'start: "- pain => R52"', 'start: "a" | "b" "c"', None)
    assert (fixed.text, fixed.complete) == ("- pain => R52", True)
    assert choice.text in ("a", "bc")
    assert free.pieces


def test_pieces_spell_the_answer(random_engine: LocalEngine) -> None:
    (answer,) = ask(random_engine, 'start: "- é 👩‍⚕️ => " /[A-Z][0-9]{2}/')
    assert [piece.start for piece in answer.pieces[1:]] == [p.end for p in answer.pieces[:-1]]
    assert answer.pieces[-1].end == len(answer.text.encode())
    assert all(piece.log_probability <= 0 for piece in answer.pieces)
    # What the grammar forces is certain.
    assert answer.probability(0, 5) == pytest.approx(1.0, abs=1e-3)


def test_no_answer_holds_what_no_file_can() -> None:
    answer = Answer("a", "- a\ud83d => I10\udfff")
    assert answer.text == "- a\ufffd => I10\ufffd"
    assert Answer("a", "👩‍⚕️").text == "👩‍⚕️"


def test_probability_is_of_the_tokens_that_overlap() -> None:
    pieces = [TokenPiece(0, 2, -1.0), TokenPiece(2, 4, -2.0), TokenPiece(4, 6, -4.0)]
    answer = Answer("a", "abcdef", pieces=pieces)
    assert answer.probability(2, 4) == pytest.approx(0.135335283)
    assert answer.probability(1, 5) == pytest.approx(0.000911882)
    assert Answer("a", "abc").probability(0, 3) is None


def test_answers_come_in_the_order_of_the_requests(random_engine: LocalEngine) -> None:
    grammars = [f'start: "{number}"' for number in range(11)]
    assert [answer.text for answer in ask(random_engine, *grammars)] == [str(n) for n in range(11)]


def test_a_long_prompt_shortens_no_answer_but_its_own(random_engine: LocalEngine) -> None:
    context = random_engine.model.config.max_position_embeddings
    grammar = "start: /[a-z]{60}/"
    short = Request("short", document_prompt("x"), grammar)
    fixed = len(encode_prompt(random_engine.tokenizer, document_prompt("")))
    each = len(encode_prompt(random_engine.tokenizer, document_prompt("5" * 100))) - fixed
    digits = (context - fixed - 10) * 100 // each
    long = Request("long", document_prompt("5" * digits), grammar)
    answers = list(random_engine.generate([short, long]))
    assert context - 20 < answers[1].prompt_tokens < context
    assert answers[0].complete
    assert not answers[1].complete


def test_a_model_that_also_reads_images_has_a_context(random_engine: LocalEngine) -> None:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text = {
        **shape,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "vocab_size": len(random_engine.tokenizer),
        "max_position_embeddings": 64,
    }
    vision = {**shape, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    model: Any = Gemma3ForConditionalGeneration(config).eval()
    engine = LocalEngine(model, random_engine.tokenizer, max_new_tokens=16)
    short, long = (Request(t, document_prompt(t), 'start: "a"') for t in ("pain", "pain" * 100))
    assert engine.fits(short)
    assert not engine.fits(long)
    assert [a.problem for a in engine.generate([short, long])] == [None, "exceeds_context"]


def test_notes_are_split_as_they_were_in_training(
    random_engine: LocalEngine, tmp_path: Path
) -> None:
    random_engine.model.save_pretrained(tmp_path)
    random_engine.tokenizer.save_pretrained(tmp_path)

    def tokens(text: str) -> int:
        return len(encode_prompt(random_engine.tokenizer, document_prompt(text)))

    def most(context: int | Any = "trained") -> int:
        """Return the largest number of words of a note that is coded as a whole."""
        engine = LocalEngine.load(tmp_path, context=context)
        assert engine.variant == ("" if context == "trained" else f"context={context}")
        assert engine.variant in engine.identity

        def too_long(count: int) -> bool:
            return not engine.fits(Request("n", document_prompt("5 " * count)))

        return bisect_left(range(1, 2000), True, key=too_long)

    whole = most("model")
    # A model without a manifest has its whole context.
    assert most() == whole
    (tmp_path / "manifest.json").write_text('{"recipe": {"training": {"max_length": 128}}}')
    assert tokens("5 " * most()) <= 96 < tokens("5 " * (most() + 1))
    assert most() == most(128) < most(256) < whole == most("model") == most(99_999)
    # An example before the note counts only against the context of the model.
    example = CodedNote(id="e", text="5 " * 200)
    engine = LocalEngine.load(tmp_path)
    assert engine.fits(Request("n", document_prompt("Asthma.", examples=[example])))
    assert not engine.fits(Request("n", document_prompt("Asthma.", examples=[example] * 40)))
    (tmp_path / "manifest.json").write_text('{"recipe": {"training": {"max_length": 0}}}')
    with pytest.raises(DataError, match=r"recipe\.training\.max_length"):
        LocalEngine.load(tmp_path)


def test_a_cut_answer_says_so(random_engine: LocalEngine) -> None:
    (answer,) = ask(random_engine, "start: /[a-z]{300,400}/")
    assert not answer.complete
    assert answer.text.isalpha()


def test_the_length_of_an_answer_is_limited_by_that_of_its_prompt(
    random_engine: LocalEngine,
) -> None:
    engine = LocalEngine(random_engine.model, random_engine.tokenizer)
    requests = [
        Request(str(count), document_prompt("pain " * count), "start: /[a-z]{3000}/")
        for count in (20, 1)
    ]
    together = list(engine.generate(requests))
    for answer in together:
        assert not answer.complete
        assert answer.answer_tokens == len(answer.pieces) == answer_budget(answer.prompt_tokens)
        assert len(answer.text) == answer.pieces[-1].end
    # An example before the note gives the answer no more tokens.
    prompt = document_prompt("pain ", examples=[CodedNote(id="e", text="chest " * 50)])
    (answer,) = engine.generate([Request("n", prompt, "start: /[a-z]{3000}/")])
    assert answer.answer_tokens == together[1].answer_tokens
    # The other answers of a batch have no influence on an answer.
    for request, answer in zip(requests, together, strict=True):
        (alone,) = engine.generate([request])
        assert alone.text == answer.text


@pytest.mark.parametrize("lines", [1, 2, 3, 6])
def test_an_answer_ends_before_a_line_that_is_repeated_too_often(
    random_engine: LocalEngine, lines: int
) -> None:
    line = "- é pain => R52"
    grammar = "start: " + f'"{line}"' + f'"\\n{line}"' * (lines - 1)
    prompt = document_prompt("pain")
    limited, free = random_engine.generate(
        [Request("a", prompt, grammar, line_limit=lambda _: 2), Request("b", prompt, grammar)]
    )
    assert limited.complete
    assert free.text == "\n".join([line] * lines)
    assert limited.text == "\n".join([line] * min(2, lines))
    assert limited.pieces[-1].end == len(limited.text.encode())
    assert limited.probability(0, 5) == pytest.approx(free.probability(0, 5))


def test_a_grammar_that_cannot_be_compiled_costs_its_own_answer_alone(
    random_engine: LocalEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    good, broken = 'start: "a"', 'start: "secret'
    answers = ask(random_engine, good, broken, good, broken, good)
    assert [answer.problem for answer in answers] == [None, "grammar", None, "grammar", None]
    assert [answer.text for answer in answers] == ["a", "", "a", "", "a"]
    assert [answer.problem for answer in ask(random_engine, broken)] == ["grammar"]
    assert "secret" not in "".join(capfd.readouterr())


def test_a_model_comes_back_from_its_folder(random_engine: LocalEngine, tmp_path: Path) -> None:
    random_engine.model.save_pretrained(tmp_path / "model")
    random_engine.tokenizer.save_pretrained(tmp_path / "model")
    loaded = LocalEngine.load(tmp_path / "model")
    grammar = "start: /[a-z]{5}/"
    assert ask(loaded, grammar)[0].text == ask(random_engine, grammar)[0].text


@pytest.mark.filterwarnings(
    "ignore::FutureWarning"
)  # peft asks transformers in a way that will go.
def test_an_adapter_comes_with_its_model(random_engine: LocalEngine, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base, adapter = tmp_path / "base", tmp_path / "adapter"
    random_engine.model.save_pretrained(base)
    random_engine.tokenizer.save_pretrained(base)
    plain = LocalEngine.load(base).model
    torch.manual_seed(1)
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    tuned = get_peft_model(LocalEngine.load(base).model, config).eval()
    tuned.save_pretrained(adapter)
    loaded = LocalEngine.load(adapter)
    ids = torch.arange(6)[None]
    with torch.no_grad():
        expected, ours, before = (m(input_ids=ids).logits for m in (tuned, loaded.model, plain))
    assert torch.allclose(ours, expected, atol=1e-5)
    assert not torch.allclose(ours, before, atol=1e-3)
    assert loaded.name == "adapter"
    assert ask(loaded, "start: /[a-z]{5}/")[0].complete
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(ConfigurationError, match=r"has no adapter_model\.safetensors"):
        LocalEngine.load(adapter)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_adapter_of_another_model_is_refused(random_engine: LocalEngine, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        random_engine.tokenizer.save_pretrained(folder)
    random_engine.model.save_pretrained(base)
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"])
    get_peft_model(LocalEngine.load(base).model, config).save_pretrained(adapter)
    settings = json.loads((adapter / "adapter_config.json").read_text())

    def of(other: Path) -> str:
        changed = {**settings, "base_model_name_or_path": str(other)}
        (adapter / "adapter_config.json").write_text(json.dumps(changed))
        with pytest.raises(ConfigurationError) as caught:
            LocalEngine.load(adapter)
        (problem,) = caught.value.problems
        assert problem.startswith(f"model (model = {adapter}): cannot be loaded: ")
        return problem

    # PEFT would load only a part of it, without an error.
    for shape in ({"layers": 3}, {"layers": 1}, {"hidden_size": 64}):
        other = tmp_path / "other"
        make_model(SHAPE.model_copy(update=shape), random_engine.tokenizer, 512).save_pretrained(
            other
        )
        assert "made for another model than" in of(other)
    assert f"there is no model {tmp_path / 'gone'}." in of(tmp_path / "gone")
    for content in ("[]", "{}"):
        (adapter / "adapter_config.json").write_text(content)
        with pytest.raises(ConfigurationError, match="names no base model"):
            LocalEngine.load(adapter)


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"model \(model = .*gone\): cannot be loaded"):
        LocalEngine.load(tmp_path / "gone")


def small_memory(monkeypatch: pytest.MonkeyPatch, rows: int, never: str = "") -> list[int]:
    """Let the memory of the GPU be too small for more rows, or for a request; return the sizes tried."""
    answer_batch = LocalEngine._answer_batch
    sizes: list[int] = []

    def answer(self: LocalEngine, asked: list[Request], *rest: Any) -> list[Answer]:
        sizes.append(len(asked))
        if len(asked) > rows or asked[0].id == never:
            raise torch.OutOfMemoryError("what a GPU says")
        return answer_batch(self, asked, *rest)

    monkeypatch.setattr(LocalEngine, "_answer_batch", answer)
    return sizes


def asthma(count: int) -> list[Request]:
    grammar = document_grammar("Asthma", "J45")
    return [Request(str(n), document_prompt(f"Asthma {n}."), grammar) for n in range(count)]


def test_a_batch_that_is_too_much_for_the_memory_is_divided_once(
    random_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(
        random_engine.model, random_engine.tokenizer, batch_size=5, max_new_tokens=12
    )
    whole = [answer.text for answer in engine.generate(asthma(5))]
    sizes = small_memory(monkeypatch, rows=2)
    assert [answer.text for answer in engine.generate(asthma(5))] == whole
    assert sizes == [5, 2, 2, 1]
    sizes.clear()
    # The size that fitted is remembered.
    assert [answer.text for answer in engine.generate([*asthma(5), *asthma(5)])] == whole * 2
    assert sizes == [2, 2, 1] * 2


def test_a_note_that_is_too_much_for_the_memory_costs_its_own_answer_alone(
    random_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(
        random_engine.model, random_engine.tokenizer, batch_size=5, max_new_tokens=12
    )
    whole = [answer.text for answer in engine.generate(asthma(5))]
    sizes = small_memory(monkeypatch, rows=1, never="3")
    answers = list(engine.generate(asthma(5)))
    assert sizes == [5, 2, 1, 1, 1, 1, 1]
    assert [answer.id for answer in answers] == ["0", "1", "2", "3", "4"]
    assert answers[3].problem == "out_of_memory"
    assert [a.text for a in answers if a.id != "3"] == [*whole[:3], whole[4]]
