from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertModel

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.batch import code_batch
from cclearn.engines import Answer, Choice
from cclearn.engines.base import LogLikelihoods, TokenPiece
from cclearn.engines.local import LocalEngine
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.models import load_encoder, load_model, model_hash
from cclearn.notes import Note
from cclearn.notes.jsonl import write_rows
from cclearn.prompts import span_answer, span_prompt
from cclearn.weights import (
    RECORDED,
    RECORDED_BASE,
    refuse_not_finite,
    sha256_of_model,
    sha256_of_weights,
)
from tests.commands import fails
from tests.models import random_engine

MATRIX = "model.layers.0.mlp.up_proj.weight"
WEIGHTS = "model.safetensors"

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    engine = random_engine()
    engine.model.save_pretrained(folder)
    engine.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    """A folder that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change(folder: Path, how: Callable[[Tensors], object], file: str = WEIGHTS) -> None:
    tensors = load_file(folder / file)
    how(tensors)
    save_file(tensors, folder / file, metadata={"format": "pt"})


def set_first(value: float) -> Callable[[Tensors], None]:
    def how(tensors: Tensors) -> None:
        tensors[MATRIX][0, 0] = value

    return how


def flip(file: Path, byte: int, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[byte] ^= 1 << bit
    file.write_bytes(content)


def exponent_of(file: Path, matrix: str) -> int:
    """Return the offset of the byte that holds the highest bits of a matrix's first value."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return int(8 + length + json.loads(content[8 : 8 + length])[matrix]["data_offsets"][0] + 3)


def refusal(load: Callable[[], object]) -> str:
    with pytest.raises(CclearnError) as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (set_first(float("nan")), f"{MATRIX} contains values that are not finite"),
        (set_first(float("inf")), f"{MATRIX} contains values that are not finite"),
        (set_first(float("-inf")), f"{MATRIX} contains values that are not finite"),
        (lambda tensors: tensors.pop(MATRIX), f"tensors missing {MATRIX}"),
        (lambda t: t.update({"model.extra": torch.ones(2)}), r"tensors unexpected model\.extra"),
        (
            lambda t: t.update({MATRIX: t[MATRIX][1:].clone()}),
            rf"of another shape {MATRIX} \(\[63, 32\] instead of \[64, 32\]\)",
        ),
        (lambda t: t.update({"a\n\x1b[2J": torch.ones(2)}), r"unexpected a\\n\\x1b\[2J\."),
        (lambda tensors: tensors.clear(), r"tensors missing .*, .*, .* and \d+ more"),
    ],
)
def test_a_damaged_model_is_refused_in_one_line(
    model: Path, capfd: pytest.CaptureFixture[str], how: Callable[[Tensors], object], problem: str
) -> None:
    change(model, how)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        load_model(str(model))
    (line,) = caught.value.problems
    assert line.startswith(f"model (model = {model}): its weights are damaged")
    assert "LOAD REPORT" not in "".join(capfd.readouterr())


def test_a_whole_model_is_loaded_and_tied_weights_may_stand_twice(model: Path) -> None:
    load_model(str(model))
    change(model, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].clone()}))
    load_model(str(model))


@pytest.mark.parametrize("left", [0.5, 0.001, 0.0])
def test_a_truncated_file_is_refused_in_one_line(model: Path, left: float) -> None:
    content = (model / WEIGHTS).read_bytes()
    (model / WEIGHTS).write_bytes(content[: int(left * len(content))])
    assert "cannot be loaded" in refusal(lambda: load_model(str(model)))


def test_a_flipped_bit_in_a_header_is_refused_in_one_line(model: Path) -> None:
    file = model / WEIGHTS
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    for byte in range(0, 8 + length, length // 24):
        flip(file, byte, byte % 7)
        refusal(lambda: load_model(str(model)))
        file.write_bytes(content)


def test_a_value_of_eight_bits_is_checked_too() -> None:
    weights = torch.ones(4).to(torch.float8_e5m2)
    refuse_not_finite("m", [("w", weights), ("n", torch.ones(3, dtype=torch.uint8))])
    weights[1] = float("inf")
    with pytest.raises(ConfigurationError, match="w contains values"):
        refuse_not_finite("m", [("w", weights)])


def test_one_flipped_bit_is_refused_by_the_hash(model: Path) -> None:
    file = model / WEIGHTS
    (model / "manifest.json").write_text(json.dumps({RECORDED: sha256_of_weights(model)}))
    load_model(str(model))
    # The lowest bit of one weight: everything stays finite, and no shape changes.
    byte = exponent_of(file, MATRIX) - 3
    flip(file, byte, 0)
    for _ in range(2):
        assert "and manifest.json records" in refusal(lambda: load_model(str(model)))
    (model / "manifest.json").write_text("{}")
    load_model(str(model))
    flip(file, byte, 0)
    (model / "manifest.json").write_text(json.dumps({RECORDED: sha256_of_weights(model)}))
    load_model(str(model))


def test_a_file_is_hashed_once_while_it_stays_as_it_is(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cclearn import weights

    hashed: list[str] = []
    whole = weights.sha256_of_file

    def count(file: Path) -> str:
        hashed.append(file.name)
        return whole(file)

    monkeypatch.setattr(weights, "sha256_of_file", count)
    first = model_hash(model)
    assert hashed.count(WEIGHTS) == 1
    files = len(hashed)
    assert (model_hash(model), len(hashed)) == (first, files)
    times = (model / WEIGHTS).stat()
    flip(model / WEIGHTS, -1, 0)
    os.utime(model / WEIGHTS, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert model_hash(model) != first
    assert len(hashed) == files + 1


def test_a_hash_is_of_what_decides_the_answers(model: Path) -> None:
    before = model_hash(model)
    for name in ("README.md", "calibration.json", ".cclearn.json", ".cache"):
        (model / name).write_text("{}")
    assert model_hash(model) == before
    (model / "vocab").mkdir()
    (model / "vocab" / "strings.json").write_text("{}")
    assert model_hash(model) != before
    assert (model_hash(""), model_hash("owner/name"), model_hash("no:model")) == ("", "", "")


def adapter_over(base: Path, folder: Path) -> Path:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(load_model(str(base)), config).save_pretrained(folder)
    return folder


ADAPTER = "adapter_model.safetensors"


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers by an old name.
def test_a_damaged_adapter_is_refused_and_its_base_is_part_of_its_hash(
    model: Path, tmp_path: Path
) -> None:
    adapter = adapter_over(model, tmp_path / "adapter")
    (adapter / "manifest.json").write_text(json.dumps({RECORDED: sha256_of_weights(adapter)}))
    load_model(str(adapter))
    recorded = {RECORDED: sha256_of_weights(adapter), RECORDED_BASE: "0" * 64}
    (adapter / "manifest.json").write_text(json.dumps(recorded))
    assert "and manifest.json records 000000000000" in refusal(lambda: load_model(str(adapter)))
    recorded[RECORDED_BASE] = sha256_of_weights(model)
    (adapter / "manifest.json").write_text(json.dumps(recorded))
    load_model(str(adapter))
    before = model_hash(adapter)
    content = (adapter / ADAPTER).read_bytes()
    flip(adapter / ADAPTER, -1, 0)
    assert "and manifest.json records" in refusal(lambda: load_model(str(adapter)))
    (adapter / "manifest.json").unlink()
    (adapter / ADAPTER).write_bytes(content)
    name = min(load_file(adapter / ADAPTER))
    for how, problem in (
        (lambda t: t.pop(name), "1 tensors are missing and 0 unexpected"),
        (lambda t: t.update({"x.lora_A.weight": torch.ones(2)}), "0 tensors are missing and 1 un"),
        (lambda t: t[name].fill_(float("nan")), f"{name} contains values that are not finite"),
        (lambda t: t.update({name: t[name][:, 1:].clone()}), "tensors have other shapes"),
    ):
        change(adapter, how, ADAPTER)  # type: ignore[arg-type]
        assert problem in refusal(lambda: load_model(str(adapter)))
        (adapter / ADAPTER).write_bytes(content)
    without = model_hash(adapter)
    assert without != before
    # The base alone changes.
    flip(model / WEIGHTS, exponent_of(model / WEIGHTS, MATRIX) - 3, 0)
    assert model_hash(adapter) != without
    change(model, set_first(float("nan")))
    assert MATRIX in refusal(lambda: load_model(str(adapter)))


def test_an_encoder_is_loaded_as_strictly(saved: Path, tmp_path: Path) -> None:
    shape = BertConfig(
        vocab_size=500,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    folder = tmp_path / "encoder"
    for made in (
        BertModel(shape),
        BertForMaskedLM(shape),
    ):  # One with a pooling layer, one with a head.
        shutil.rmtree(folder, ignore_errors=True)
        made.save_pretrained(folder)
        for file in saved.glob("tokenizer*"):
            shutil.copy(file, folder)
        load_encoder(str(folder))
        (matrix,) = (
            name
            for name in load_file(folder / WEIGHTS)
            if name.endswith("encoder.layer.0.intermediate.dense.weight")
        )
        content = (folder / WEIGHTS).read_bytes()
        another = matrix.replace("layer.0", "layer.7")
        for how in (
            lambda t, key=matrix: t.pop(key),
            lambda t, key=another: t.update({key: torch.ones(2)}),
            lambda t, key=matrix: t[key].fill_(float("nan")),
        ):
            change(folder, how)
            assert "its weights are damaged" in refusal(lambda: load_encoder(str(folder)))
            (folder / WEIGHTS).write_bytes(content)


def test_quantised_weights_are_checked_in_their_files(model: Path) -> None:
    from transformers import BitsAndBytesConfig

    options = {"quantization_config": BitsAndBytesConfig(load_in_4bit=True)}
    assert load_model(str(model), **options).is_quantized
    change(model, set_first(float("nan")))
    assert f"{MATRIX} contains values" in refusal(lambda: load_model(str(model), **options))


def test_a_calibration_is_of_one_models_weights(
    model: Path, tmp_path: Path, system: CodeSystem
) -> None:
    other = Path(shutil.copytree(model, tmp_path / "other" / "model"))
    flip(other / WEIGHTS, exponent_of(other / WEIGHTS, MATRIX) - 3, 0)
    made = [Coder.load(folder, system).identity for folder in (model, other)]
    assert made[0].model == made[1].model
    assert made[0].model_sha256 == sha256_of_model(model)
    assert made[0].model_sha256 != made[1].model_sha256


@pytest.fixture
def overflowing(model: Path) -> Path:
    """A model of finite weights whose scores are not: their products are beyond the greatest number."""
    change(model, lambda t: t["model.embed_tokens.weight"][-8:].fill_(3e38))
    return model


NOTES = [Note(id=str(n), text="Acute myocardial infarction.") for n in range(5)]

STOPPED = (
    r"model \(model = model\): its scores are not finite .* {} times in a row: its weights are"
)


def test_scores_that_are_not_finite_give_no_code_and_stop_a_run(
    overflowing: Path, system: CodeSystem
) -> None:
    coder = Coder.load(overflowing, system)
    one = coder.code(NOTES[0])
    assert (one.codes, one.flags) == ([], ["not_finite"])
    coded = []
    with pytest.raises(CclearnError, match=STOPPED.format(3)):
        coded += coder.code_many(NOTES)
    with pytest.raises(CclearnError, match=STOPPED.format(2)):
        list(coder.code_many(NOTES[:2]))
    with pytest.raises(CclearnError, match=STOPPED.format(3)):
        list(coder.code_spans(note.text for note in NOTES))
    outcomes = list(code_batch(coder, NOTES))
    assert [getattr(outcome, "kind", None) for outcome in outcomes] == ["not_finite"] * 5


def test_answers_that_are_weighed_are_finite_or_flagged(overflowing: Path) -> None:
    engine = LocalEngine.load(overflowing)
    codes = ["I21.4", "I10"]
    answers = [*(span_answer("Sugar", code) for code in codes), "none"]
    (weights,) = engine.log_likelihoods([Choice("s", span_prompt("Sugar"), answers)])
    assert (weights.problem, weights.log_probabilities) == ("not_finite", [])


def test_scores_that_are_the_same_for_every_token_are_flagged(
    model: Path, system: CodeSystem
) -> None:
    # Its square overflows in the next normalisation, which then divides everything by infinity.
    change(model, lambda t: t["model.layers.0.mlp.down_proj.weight"][0, 0].fill_(1e37))
    one = Coder.load(model, system).code(NOTES[0])
    assert (one.codes, one.flags) == ([], ["not_finite"])
    choice = Choice("s", span_prompt("Sugar"), [span_answer("Sugar", "I10"), "none"])
    (weights,) = LocalEngine.load(model).log_likelihoods([choice])
    assert weights.problem == "not_finite"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_probability_is_made_of_what_is_not_finite(value: float) -> None:
    pieces = [TokenPiece(0, 1, -1.0), TokenPiece(1, 2, value)]
    answer = Answer("a", "ab", pieces=pieces)
    assert (answer.text, answer.problem, answer.probability(0, 2)) == ("", "not_finite", None)
    weights = LogLikelihoods("a", [-1.0, value])
    assert (list(weights.log_probabilities), weights.problem) == ([], "not_finite")


@pytest.mark.slow
def test_the_command_stops_without_a_file(overflowing: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "notes.jsonl", NOTES)
    out = tmp_path / "coded.jsonl"
    message = fails("code", tmp_path / "notes.jsonl", "--model", overflowing, "--out", out)
    assert "its scores are not finite (NaN or infinite), or" in message
    assert "Traceback" not in message
    assert not out.exists()


def test_a_model_on_the_hub_is_known_by_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--name"
    (repository / "refs").mkdir(parents=True)
    hashes = []
    for commit in ("1" * 40, "2" * 40):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "refs" / "main").write_text(commit)
        hashes.append(model_hash("owner/name"))
        assert model_hash("owner/name", commit) == hashes[-1]
    assert len({*hashes, ""}) == 3
    assert model_hash("owner/name", "1" * 40) == hashes[0]
