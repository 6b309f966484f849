from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.evaluation import evaluate
from cclearn.models import load_model, load_tokenizer
from cclearn.notes import AssignedCode, CodedNote
from cclearn.training.checkpoints import checkpoint_folder
from cclearn.training.choose import choose_rows
from cclearn.training.development import BestWeights, code_f1, weighted_loss
from cclearn.training.development_settings import Development
from cclearn.training.sft import run_sft
from tests.training.runs import adapting, tiny_recipe

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

EVERY = "development={share: 0.3, every: 2}"


def entries(folder: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [entry for entry in lines if "eval_loss" in entry]


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def test_development_rows_are_evaluated_and_not_trained_on(data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(data, tmp_path / "run", "development={share: 0.3, every: 4}")
    folder = run_sft(recipe)
    manifest = manifest_of(folder)
    trained = sum(row["rows"] for row in manifest["rows"])
    lines = sum(len(path.read_text().splitlines()) for path in recipe.rows.files)
    assert trained + manifest["development_rows"] == lines
    assert 0.15 < manifest["development_rows"] / lines < 0.45
    # The last step is evaluated too, although it is no multiple of 4.
    assert [entry["step"] for entry in entries(folder)] == [4, 6]
    for entry in entries(folder):
        kinds = entry["eval_span_loss"], entry["eval_document_loss"]
        assert entry["eval_loss"] == pytest.approx(sum(kinds) / 2)
    system = CodeSystem.load()
    for chosen in choose_rows(recipe, system):
        kept = {row.text.casefold() or row.id for row in chosen.rows}
        assert not kept & {row.text.casefold() or row.id for row in chosen.development}


def test_the_number_of_evaluated_rows_is_limited(data: Path, tmp_path: Path) -> None:
    settings = "development={share: 0.5, every: 6, most: 3}"
    folder = run_sft(tiny_recipe(data, tmp_path / "run", settings))
    assert manifest_of(folder)["development_rows"] == 6


def test_losses_are_weighted() -> None:
    losses = {"span": 1.0, "document": 3.0}
    assert weighted_loss(losses, Development()) == 2.0
    assert weighted_loss(losses, Development(weights={"document": 3})) == 2.5
    assert weighted_loss({"span": 1.0}, Development(weights={"document": 3})) == 1.0


def rising(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """Let the evaluations of a run give the values, one after another."""
    given = iter(values)
    monkeypatch.setattr(
        "cclearn.training.sft.mean_losses", lambda *_: {"span": next(given), "document": 1.0}
    )


@pytest.mark.parametrize("kind", ["none", pytest.param("lora", marks=pytest.mark.slow)])
def test_the_best_weights_are_kept(
    data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    settings = adapting(run, kind) if kind == "lora" else []
    settings += ["training.learning_rate=1e-2", "training.scheduler=constant_with_warmup"]
    rising(monkeypatch, [3.0, 1.0, 2.0])
    best = run_sft(tiny_recipe(data, tmp_path / "best", EVERY, *settings))
    assert manifest_of(best)["best_step"] == 4
    assert manifest_of(best)["steps"] == 6
    rising(monkeypatch, [3.0, 1.0])
    until = run_sft(tiny_recipe(data, tmp_path / "until", EVERY, *settings, "training.steps=4"))
    name = "model.safetensors" if kind == "none" else "adapter_model.safetensors"
    found, expected = load_file(best / name), load_file(until / name)
    for key, weight in expected.items():
        torch.testing.assert_close(found[key], weight)
    assert not [path for path in best.iterdir() if path.name.startswith("best")]
    # Without `best`, the last weights are kept.
    rising(monkeypatch, [3.0, 1.0, 2.0])
    last = "development={share: 0.3, every: 2, best: null}"
    other = run_sft(tiny_recipe(data, tmp_path / "last", last, *settings))
    assert manifest_of(other)["best_step"] is None
    kept = load_file(other / name)
    assert any(not torch.equal(kept[key], weight) for key, weight in found.items())


def test_a_run_ends_if_nothing_improves(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising(monkeypatch, [1.0, 2.0, 3.0])
    settings = "development={share: 0.3, every: 1, patience: 2}"
    folder = run_sft(tiny_recipe(data, tmp_path / "run", settings))
    assert (manifest_of(folder)["steps"], manifest_of(folder)["best_step"]) == (3, 1)


@pytest.mark.slow
def test_a_run_that_stops_after_its_patience_ends_as_before(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cclearn.training import run

    settings = ["development={share: 0.3, every: 1, patience: 2}", "training.save_every=1"]
    rising(monkeypatch, [1.0, 2.0, 3.0])
    whole = run_sft(tiny_recipe(data, tmp_path / "whole", *settings))

    def stop(*_: Any) -> None:
        raise RuntimeError("stopped")

    recipe = tiny_recipe(data, tmp_path / "resumed", *settings)
    rising(monkeypatch, [1.0, 2.0, 3.0])
    with monkeypatch.context() as patch:
        patch.setattr(run, "_save_model", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            run_sft(recipe)
    rising(monkeypatch, [3.0, 0.5])  # The last would be the best, if the run went on.
    resumed = run_sft(recipe, resume="auto")
    assert manifest_of(resumed)["steps"] == 3
    name = "model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_a_resumed_run_knows_its_best_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cclearn.training import sft

    settings = [EVERY, "training.save_every=3", "training.steps=8", "training.keep=9"]
    values = [2.0, 1.0, 3.0, 4.0]
    rising(monkeypatch, values)
    whole = run_sft(tiny_recipe(data, tmp_path / "whole", *settings))

    class Stopped(sft._Trainer):  # type: ignore[misc]
        def training_step(self, *args: Any) -> Any:
            if self.state.global_step == 5:
                raise RuntimeError("stopped")
            return super().training_step(*args)

    rising(monkeypatch, values)
    recipe = tiny_recipe(data, tmp_path / "resumed", *settings)
    with monkeypatch.context() as patch:
        patch.setattr(sft, "_Trainer", Stopped)
        with pytest.raises(RuntimeError, match="stopped"):
            run_sft(recipe)
    stored = checkpoint_folder(recipe.output) / "best.safetensors"
    assert stored.stat().st_mode & 0o777 == 0o600
    rising(monkeypatch, values[1:])  # The checkpoint was written after step 3.
    resumed = run_sft(recipe, resume="auto")
    assert manifest_of(resumed)["best_step"] == 4
    assert (resumed / "model.safetensors").read_bytes() == (
        whole / "model.safetensors"
    ).read_bytes()


def test_missing_best_weights_are_reported(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 2, "eval_loss": 1.0}\n{"step": 4, "eval_loss": 2.0}\n')
    best = BestWeights(Development(), tmp_path)
    with pytest.raises(ConfigurationError, match="the weights of step 2 are missing"):
        best.resume(metrics, 5)


def test_the_f1_is_that_of_the_evaluation(
    run: Path, monkeypatch: pytest.MonkeyPatch, system: CodeSystem
) -> None:
    codes = {"a": ["I10", "E11.9"], "b": ["I10"], "c": []}
    predicted = {"a": ["I10"], "b": ["E11.9", "I10"], "c": ["J45.909"]}
    gold = [
        CodedNote(id=n, text="x", codes=[AssignedCode(code=c) for c in found])
        for n, found in codes.items()
    ]
    answers = [
        note.model_copy(update={"codes": [AssignedCode(code=c) for c in predicted[note.id]]})
        for note in gold
    ]

    class Coder:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def code_many(self, notes: Any) -> Any:
            assert [note.id for note in notes] == list(codes)
            return iter(answers)

    monkeypatch.setattr("cclearn.coding.single_pass.coder.LLMCoder", Coder)
    tokenizer, model = load_tokenizer(str(run)), load_model(str(run)).eval()
    found = code_f1(model, tokenizer, gold, system, "paired", 512)
    scores = evaluate(gold, {"model": answers}, system).evaluations["model"]
    assert found == pytest.approx(scores.value("micro_f1")) == pytest.approx(4 / 7)


def test_notes_are_coded_during_a_run(data: Path, tmp_path: Path) -> None:
    settings = "development={share: 0.3, every: 3, notes: 2, best: code_f1}"
    folder = run_sft(tiny_recipe(data, tmp_path / "run", settings))
    values = [entry["eval_code_f1"] for entry in entries(folder)]
    assert len(values) == 2
    assert all(0 <= value <= 1 for value in values)
    only = ["rows.order=span_only", settings]
    with pytest.raises(ConfigurationError, match="no document row is left out"):
        run_sft(tiny_recipe(data, tmp_path / "spans", *only))
