from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.models import load_model, load_tokenizer
from cclearn.notes import Note
from cclearn.training.dry_run import dry_run
from cclearn.training.sft import run_sft
from cclearn.training.trimming import needed_tokens, trim_embeddings, trim_tokenizer
from tests.training.runs import adapting, tiny_recipe

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<unused0>", "<unused1>"]
NAMES = {f"{name}_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk")}
UNKNOWN = {"unk_token": NAMES["unk_token"]}
TRAINED_ON = [
    "Acute myocardial infarction of the anterior wall, type 2 diabetes mellitus. \n\n",
    "Angina pectoris; hypertensive heart disease with heart failure \t 250 mg, 2025.",
    "Neumonía, úlcera gástrica, Ösophagusvarizen, β-blocker, 37 °C, 心不全 和 糖尿病.",
] * 3
USED = ["Acute infarction, diabetes mellitus \n\n", "hypertensive  heart failure", "úlcera 250 心"]
WORDS = st.sampled_from([*"".join(USED), *" ".join(USED).split(" ")])


def whole_tokenizer(kind: str) -> PreTrainedTokenizerBase:
    """Return a tokenizer with the peculiarities of a family of models.

    Args:
        kind: `bytes` for the method of Qwen, `words` for that of Llama 3, which takes a word that is a
            token as it is, and `characters` for that of Gemma, which encodes unknown characters as
            bytes.
    """
    special = SPECIAL
    if kind == "characters":
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, **UNKNOWN))
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_previous")
        parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        tokenizer.decoder = decoders.Sequence(parts)
        special = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
        alphabet = []
    else:
        tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "words"))
        split = pre_tokenizers.Split(Regex(r" ?\w+|\s+|[^\w\s]+"), behavior="isolated")
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TRAINED_ON, trainer)
    if kind == "characters":  # Only the tokens of text are matched as they are.
        state = json.loads(tokenizer.to_str())
        state["added_tokens"] = [a for a in state["added_tokens"] if a["content"] in SPECIAL]
        tokenizer = Tokenizer.from_str(json.dumps(state))
        tokenizer.add_tokens(["\n\n"])
    number = tokenizer.token_to_id("<bos>")
    tokenizer.post_processor = TemplateProcessing("<bos> $A", special_tokens=[("<bos>", number)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **NAMES,
        chat_template="{% for m in messages %}{{ m.content }}<eos>{% endfor %}",
    )


def encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]))


@pytest.fixture(scope="module", params=["bytes", "words", "characters"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A tokenizer, and the trimmed one that needs the tokens of the used texts."""
    whole = whole_tokenizer(request.param)
    return whole, trim_tokenizer(whole, [n for text in USED for n in whole(text)["input_ids"]])


def test_used_texts_have_the_same_tokens(pair: tuple[Any, Any]) -> None:
    whole, trimmed = pair
    assert len(trimmed) < len(whole)
    for text in USED:
        assert encoded(trimmed, text) == encoded(whole, text)
        assert encoded(trimmed, text)[0] == "<bos>"
    assert trimmed.chat_template == whole.chat_template
    for name, token in NAMES.items():
        assert getattr(trimmed, name) == token
    assert "<unused0>" not in trimmed.get_vocab()
    assert sorted(trimmed.get_vocab().values()) == list(range(len(trimmed)))
    # The tokens have the same order, so that the rows of the embeddings need only be removed.
    in_order = sorted(trimmed.get_vocab(), key=trimmed.get_vocab().__getitem__)
    assert in_order == sorted(in_order, key=whole.get_vocab().__getitem__)


@given(text=st.lists(WORDS | st.text(max_size=4), max_size=8).map(" ".join))
def test_any_text_is_encoded(pair: tuple[Any, Any], text: str) -> None:
    whole, trimmed = pair
    decoded = [
        tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True)
        for tokenizer in pair
    ]
    assert decoded[0] == decoded[1]
    assert "<unk>" not in encoded(trimmed, text) or "<unk>" in text
    # If all tokens of a text are kept, it is encoded as before.
    before = encoded(whole, text)
    if {*before} <= trimmed.get_vocab().keys():
        assert encoded(trimmed, text) == before


def test_other_tokenizers_are_refused() -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, **UNKNOWN))
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **UNKNOWN)
    with pytest.raises(ConfigurationError, match="it does not use byte-pair encoding"):
        trim_tokenizer(words, [1])
    tokenizer = Tokenizer(models.BPE({"a": 0, "b</w>": 1}, [], end_of_word_suffix="</w>"))
    with pytest.raises(ConfigurationError, match=r"have a prefix or a suffix .* Set model\.trim"):
        trim_tokenizer(PreTrainedTokenizerFast(tokenizer_object=tokenizer), [1])


@pytest.mark.parametrize("architecture", ["tied", "untied", "gemma"])
def test_a_trimmed_model_computes_the_same_logits(pair: tuple[Any, Any], architecture: str) -> None:
    whole, trimmed = pair
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16}
    shape |= {"num_attention_heads": 2, "num_key_value_heads": 1}
    # The last token has no row, as the token of images in Gemma 3.
    special = {"vocab_size": len(whole) - 1, "pad_token_id": whole.pad_token_id}
    torch.manual_seed(0)
    if architecture == "gemma":
        model: Any = Gemma3ForCausalLM(Gemma3TextConfig(**shape, **special))
    else:
        tied = architecture == "tied"
        model = Qwen3ForCausalLM(Qwen3Config(**shape, **special, tie_word_embeddings=tied))
    vocabulary = trimmed.get_vocab()
    last = next(token for token, number in whole.get_vocab().items() if number == len(whole) - 1)
    kept = [whole.get_vocab()[t] for t in sorted(vocabulary, key=vocabulary.__getitem__)]
    kept = [number for number in kept if number < len(whole) - 1]
    text = USED[0]
    assert last not in encoded(whole, text)
    model.eval()
    with torch.no_grad():
        before = model(torch.tensor([whole(text)["input_ids"]])).logits[..., kept]
        trim_embeddings(model, whole.get_vocab(), vocabulary)
        after = model(torch.tensor([trimmed(text)["input_ids"]])).logits
    assert torch.equal(before, after)
    assert model.config.vocab_size == len(kept)
    assert model.get_input_embeddings().padding_idx == trimmed.pad_token_id


def test_another_layer_that_depends_on_the_vocabulary_is_named() -> None:
    config = Qwen3Config(
        **{"vocab_size": 50, "hidden_size": 32, "intermediate_size": 50, "head_dim": 16},
        **{"num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1},
    )
    vocabulary = {str(number): number for number in range(50)}
    with pytest.raises(ConfigurationError, match=r"mlp\.gate_proj\.weight depends on"):
        trim_embeddings(Qwen3ForCausalLM(config), vocabulary, {"0": 0})


def test_a_table_that_is_cut_with_the_embeddings_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Qwen3ForCausalLM(
        Qwen3Config(
            **{"vocab_size": 50, "hidden_size": 32, "intermediate_size": 40, "head_dim": 16},
            **{"num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1},
        )
    )
    # Gemma 3n has a second table of tokens, of another size.
    model.model.per_layer = torch.nn.Embedding(45, 4)
    resize = model.resize_token_embeddings

    def resize_both(size: int, **options: Any) -> Any:
        model.model.per_layer.weight.data = model.model.per_layer.weight.data[:size]
        return resize(size, **options)

    monkeypatch.setattr(model, "resize_token_embeddings", resize_both)
    vocabulary = {str(number): number for number in range(50)}
    with pytest.raises(ConfigurationError, match=r"per_layer\.weight depends on the vocabulary"):
        trim_embeddings(model, vocabulary, {"0": 0, "7": 1})


def test_tokens_that_the_tokenizer_adds_are_kept() -> None:
    whole = whole_tokenizer("bytes")
    backend = whole.backend_tokenizer
    number = backend.token_to_id("<unused0>")
    backend.post_processor = TemplateProcessing(
        "$A <unused0>", special_tokens=[("<unused0>", number)]
    )
    trimmed = trim_tokenizer(whole, whole(USED[0], add_special_tokens=False)["input_ids"])
    assert encoded(trimmed, USED[0]) == encoded(whole, USED[0])
    assert encoded(trimmed, USED[0])[-1] == "<unused0>"


@pytest.fixture(scope="module")
def large(
    run: Path, system: CodeSystem, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int]:
    """The folder of a model with 500 tokens that no text needs, and its number of tokens."""
    folder = tmp_path_factory.mktemp("large") / "model"
    tokenizer, model = load_tokenizer(str(run)), load_model(str(run))
    tokenizer.add_tokens([f"<unused{number}>" for number in range(500)])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    # The number of the padding token is beyond the trimmed vocabulary.
    tokenizer.pad_token = "<unused499>"
    model.config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder, len(tokenizer)


@pytest.mark.slow
def test_a_run_trains_a_trimmed_model(
    data: Path, large: tuple[Path, int], tmp_path: Path, system: CodeSystem
) -> None:
    base, tokens = large
    settings = adapting(base, "none", "training.steps=2", "training.save_every=1")
    trimmed = [*settings, "model.trim_vocabulary=true"]
    folder = run_sft(tiny_recipe(data, tmp_path / "run", *trimmed))
    tokenizer, model = load_tokenizer(str(folder)), load_model(str(folder))
    assert model.config.vocab_size == len(tokenizer) < tokens - 400
    recipe = tiny_recipe(data, tmp_path / "other", *trimmed)
    assert dry_run(recipe).shape.parameters == model.num_parameters()
    coder = Coder.load(folder, system, engine=EngineSettings(max_new_tokens=8))
    assert not coder.code(Note(id="n", text="Acute NSTEMI, 心不全.")).ungrounded
    # The rows have as many tokens as with the whole vocabulary.
    whole = run_sft(tiny_recipe(data, tmp_path / "whole", *settings))
    rows = [json.loads((f / "manifest.json").read_text())["rows"] for f in (folder, whole)]
    assert rows[0] == rows[1]


def test_the_codes_of_the_system_are_kept(run: Path, system: CodeSystem) -> None:
    tokenizer = load_tokenizer(str(run))
    codes = system.billable_codes("I21")
    some: Any = SimpleNamespace(rows=lambda: [system[code] for code in codes])
    trimmed = trim_tokenizer(tokenizer, needed_tokens(tokenizer, [], some))
    for code in codes:
        for text in (code, f" {code}", system.description(code), f" {system.description(code)}"):
            assert encoded(trimmed, text) == encoded(tokenizer, text)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.trim_vocabulary=true"], "a model with random weights has no other tokens"),
        (
            ["model.scratch=null", "model.path=m", "model.trim_vocabulary=true", "grpo={}"],
            r"model\.trim_vocabulary: grpo trains on notes alone",
        ),
        (
            [
                "model.scratch=null",
                "model.path=m",
                "adapter.kind=lora",
                "model.trim_vocabulary=true",
            ],
            r"model\.trim_vocabulary: an adapter is stored without its model",
        ),
    ],
)
def test_runs_that_cannot_be_trimmed_are_refused(
    data: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    more = [*overrides, "training.optimizer=adamw"]
    with pytest.raises(ConfigurationError, match=message):
        tiny_recipe(data, tmp_path / "run", *more)
