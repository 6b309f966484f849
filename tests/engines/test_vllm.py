from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.engines import Answer, Request
from cclearn.engines.cache import CachedEngine
from cclearn.engines.local import LocalEngine
from cclearn.engines.registry import load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.engines.vllm import VLLMEngine
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.notes import Note
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import end_of_turn
from cclearn.prompts.grammar import document_grammar
from cclearn.weights import RECORDED
from tests.engines.fake_vllm import Made, install
from tests.gguf_models import write_gguf

NOTES = ("Chest pain.", "Asthma and é 👩‍⚕️ sepsis", "No fever, 5 % loss")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """The stand-in for vLLM."""
    return install(monkeypatch)


@pytest.fixture(scope="module")
def folder(random_engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as a recipe writes it."""
    path = tmp_path_factory.mktemp("vllm") / "model"
    random_engine.model.save_pretrained(path)
    random_engine.tokenizer.save_pretrained(path)
    return path


def adapter_of(folder: Path, path: Path, **options: Any) -> Path:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    options = {"r": 2, "target_modules": ["q_proj", "v_proj"], **options}
    config = LoraConfig(init_lora_weights=False, **options)
    get_peft_model(LocalEngine.load(folder).model, config).save_pretrained(path)
    return path


def requests(*texts: str, grammar: bool = True) -> Iterator[Request]:
    for number, text in enumerate(texts):
        bound = document_grammar(text, "I50\\.9|I10") if grammar else None
        yield Request(str(number), document_prompt(text), bound)


def alike(ours: list[Answer], theirs: list[Answer]) -> None:
    for our, their in zip(ours, theirs, strict=True):
        assert (our.id, our.text, our.complete) == (their.id, their.text, their.complete)
        assert our.prompt_tokens == their.prompt_tokens
        # Transformers tells no log-probability of the token at which it was cut.
        pieces = our.pieces[: len(their.pieces)]
        assert len(our.pieces) - len(pieces) <= (0 if our.complete else 1)
        assert [(p.start, p.end) for p in pieces] == [(p.start, p.end) for p in their.pieces]
        logs = [piece.log_probability for piece in their.pieces]
        assert [p.log_probability for p in pieces] == pytest.approx(logs, abs=1e-3)


@pytest.mark.parametrize("grammar", [True, False])
def test_answers_are_those_of_the_local_engine(made: Made, folder: Path, grammar: bool) -> None:
    engine = load_engine(f"vllm:{folder}", EngineSettings(max_new_tokens=24))
    assert isinstance(engine, VLLMEngine)
    assert (engine.name, engine.grounded) == ("model", True)
    local = LocalEngine.load(folder, batch_size=1, max_new_tokens=24)
    ours = list(engine.generate(requests(*NOTES, grammar=grammar)))
    alike(ours, list(local.generate(requests(*NOTES, grammar=grammar))))
    assert any(answer.complete for answer in ours) == grammar
    assert all(answer.gpu_seconds > 0 for answer in ours)


def test_a_model_is_loaded_as_it_should_be(made: Made, folder: Path) -> None:
    settings = EngineSettings(gpu_memory_utilization=0.5, tensor_parallel_size=2)
    load_engine(f"vllm:{folder}", settings)
    (options,) = made.loaded
    assert options["model"] == str(folder)
    assert options["load_format"] == "safetensors"
    assert options["trust_remote_code"] is False
    assert options["enable_lora"] is False
    assert options["max_model_len"] == -1
    assert options["generation_config"] == "vllm"
    assert options["gpu_memory_utilization"] == 0.5
    assert options["tensor_parallel_size"] == 2
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"


def test_a_gguf_file_is_converted_first(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path / "cache"))
    file, template = write_gguf(tmp_path / "tiny.gguf", context=2_048), tmp_path / "t.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}</s>{% endfor %}")
    settings = EngineSettings(chat_template=str(template), max_new_tokens=24)
    engine = load_engine(f"vllm:{file}", settings)
    assert engine.name == "tiny.gguf"
    (options,) = made.loaded
    assert Path(options["model"]).parent == tmp_path / "cache" / "gguf"
    local = load_engine(str(file), settings)
    ours = list(engine.generate(requests(*NOTES)))
    alike(ours, list(local.generate(requests(*NOTES))))
    assert not any(answer.problem for answer in ours)


def test_an_answer_ends_where_the_chat_template_ends_it(
    made: Made, random_engine: LocalEngine, folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    # As Gemma's: the end of sequence is another token than the end of a turn.
    other: Any = AutoTokenizer.from_pretrained(folder)
    other.eos_token = other.pad_token
    random_engine.model.save_pretrained(tmp_path / "model")
    other.save_pretrained(tmp_path / "model")
    assert end_of_turn(other) != other.eos_token_id
    engine = VLLMEngine.load(tmp_path / "model", max_new_tokens=24)
    local = LocalEngine.load(tmp_path / "model", batch_size=1, max_new_tokens=24)
    ours = list(engine.generate(requests(*NOTES)))
    alike(ours, list(local.generate(requests(*NOTES))))
    assert any(answer.complete for answer in ours)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Of peft, as in test_local.
def test_an_adapter_stays_beside_its_model(made: Made, folder: Path, tmp_path: Path) -> None:
    adapter = adapter_of(folder, tmp_path / "adapter", r=9)
    engine = VLLMEngine.load(adapter, max_new_tokens=24)
    (options,) = made.loaded
    assert (options["model"], options["enable_lora"], options["max_lora_rank"]) == (
        str(folder),
        True,
        16,
    )
    local = LocalEngine.load(adapter, batch_size=1, max_new_tokens=24)
    ours = list(engine.generate(requests(*NOTES)))
    alike(ours, list(local.generate(requests(*NOTES))))
    base = list(VLLMEngine.load(folder, max_new_tokens=24).generate(requests(*NOTES)))
    logs = [[piece.log_probability for piece in answers[0].pieces] for answers in (ours, base)]
    assert logs[0] != pytest.approx(logs[1], abs=1e-3)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"use_dora": True}, "vLLM cannot run DoRA. Write a merged model"),
        ({"r": 600}, "vLLM cannot run a rank of 600"),
        ({"modules_to_save": ["norm"]}, "vLLM cannot run it: vLLM only supports"),
    ],
)
def test_an_adapter_that_vllm_cannot_run_is_told(
    made: Made, folder: Path, tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    adapter = adapter_of(folder, tmp_path / "adapter", **options)
    with pytest.raises(ConfigurationError, match=problem):
        VLLMEngine.load(adapter)


def test_what_cannot_be_loaded_is_told(
    made: Made, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="there is no such folder"):
        load_engine(f"vllm:{tmp_path / 'gone'}")
    (tmp_path / "broken").symlink_to(folder)
    with pytest.raises(ConfigurationError, match="vLLM cannot run it: Engine core init"):
        load_engine(f"vllm:{tmp_path / 'broken'}")
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ConfigurationError, match=r"Install cclearn\[vllm\]"):
        load_engine(f"vllm:{folder}")


def test_requests_come_in_windows_and_answers_in_order(
    made: Made, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cclearn.engines.vllm._CHUNK_SIZE", 4)
    engine = VLLMEngine.load(folder, max_new_tokens=4)
    texts = ["a"] * 10
    texts[5] = "asthma " * 2_000
    taken = 0

    def stream() -> Iterator[Request]:
        nonlocal taken
        for request in requests(*texts, grammar=False):
            taken += 1
            yield request

    answers = engine.generate(stream())
    first = next(answers)
    assert taken == 4
    rest = list(answers)
    assert [answer.id for answer in (first, *rest)] == [str(number) for number in range(10)]
    assert [a.id for a in rest if a.problem == "exceeds_context"] == ["5"]
    assert rest[4].prompt_tokens > 512
    assert made.windows == [4, 3, 2]
    fitting, long = requests("a", texts[5], grammar=False)
    assert engine.fits(fitting)
    assert not engine.fits(long)


def test_a_broken_grammar_is_told_without_its_text(made: Made, folder: Path) -> None:
    engine = VLLMEngine.load(folder)
    broken = Request("7", document_prompt("x"), '%llguidance {}\nstart: "secret')
    with pytest.raises(CclearnError, match=r"notes \(ids = 7 to 7\)") as error:
        list(engine.generate([broken]))
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_what_fails_within_vllm_is_flagged(made: Made, folder: Path) -> None:
    engine = VLLMEngine.load(folder)
    failed = SimpleNamespace(text="", token_ids=[], logprobs=None, finish_reason="error")
    engine.llm.generate = lambda *_, **__: [SimpleNamespace(outputs=[failed])] * 3
    answers = list(engine.generate(requests(*NOTES)))
    assert [answer.id for answer in answers] == ["0", "1", "2"]
    assert {(a.text, a.complete, a.problem) for a in answers} == {("", False, "vllm_error")}


def test_damaged_weights_are_refused_before_vllm_reads_them(
    made: Made, folder: Path, tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "model"))
    (damaged / "manifest.json").write_text(json.dumps({RECORDED: "0" * 64}))
    with pytest.raises(ConfigurationError, match=r"and manifest\.json records 000000000000"):
        VLLMEngine.load(damaged)
    (damaged / "manifest.json").unlink()
    tensors = load_file(damaged / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, damaged / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match=r"model\.norm\.weight contains values"):
        VLLMEngine.load(damaged)
    assert not made.loaded


def test_scores_that_are_not_finite_are_flagged(made: Made, folder: Path) -> None:
    engine = VLLMEngine.load(folder)
    logs = [{5: SimpleNamespace(logprob=float("nan"))}]
    said = SimpleNamespace(token_ids=[5], logprobs=logs, finish_reason="length")
    engine.llm.generate = lambda *_, **__: [SimpleNamespace(outputs=[said])]
    (answer,) = engine.generate(requests("Chest pain."))
    assert (answer.text, answer.pieces, answer.problem) == ("", [], "not_finite")


def test_answers_are_kept_by_model_and_decoding(made: Made, folder: Path, tmp_path: Path) -> None:
    settings = EngineSettings(max_new_tokens=8, cache=tmp_path / "answers.sqlite")
    engine = load_engine(f"vllm:{folder}", settings)
    assert isinstance(engine, CachedEngine)
    first = list(engine.generate(requests(*NOTES)))
    again = list(engine.generate(requests(*NOTES)))
    assert engine.hits == 3
    assert [answer.text for answer in again] == [answer.text for answer in first]
    engine.close()
    local = load_engine(str(folder), settings)
    assert local.identity not in ("", engine.identity)
    local.close()  # type: ignore[attr-defined]


def test_notes_are_coded_in_the_layout_that_the_model_has_learnt(
    made: Made, random_engine: LocalEngine, system: CodeSystem, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    random_engine.model.save_pretrained(path)
    random_engine.tokenizer.save_pretrained(path)
    recipe = {"recipe": {"rows": {"template": "listed"}}}
    (path / "manifest.json").write_text(json.dumps(recipe))
    coder = Coder.load(f"vllm:{path}", system, engine=EngineSettings(max_new_tokens=64))
    assert coder.template == "listed"
    coded = list(coder.code_many(Note(id=str(n), text=text) for n, text in enumerate(NOTES)))
    assert [note.id for note in coded] == ["0", "1", "2"]
    assert not any(note.ungrounded or note.invalid for note in coded)
    assert coder.usage.gpu_seconds > 0


@pytest.mark.gpu
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.filterwarnings("default")
def test_vllm_itself_keeps_to_the_grammar(folder: Path, tmp_path: Path, system: CodeSystem) -> None:
    adapter = adapter_of(folder, tmp_path / "adapter", r=8)
    logs = []
    for name in (folder, adapter):
        engine = VLLMEngine.load(name, max_new_tokens=64, gpu_memory_utilization=0.2)
        answers = list(engine.generate(requests(*NOTES)))
        assert [answer.id for answer in answers] == ["0", "1", "2"]
        logs.append([piece.log_probability for piece in answers[0].pieces])
        coder = Coder.load(f"vllm:{name}", system)
        coded = list(coder.code_many(Note(id=text, text=text) for text in NOTES))
        assert not any(note.ungrounded or note.invalid for note in coded)
    # The adapter is not ignored.
    assert logs[0] != pytest.approx(logs[1], abs=1e-3)
