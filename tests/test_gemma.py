"""A published model through everything that it is used for. The nightly target runs these tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cclearn.codes import CodeSystem
from cclearn.notes.jsonl import read_coded_notes
from cclearn.packaged_models import assemble_model, find_model
from cclearn.training.dry_run import dry_run
from cclearn.training.recipe_file import load_recipe
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.service.served import serving
from tests.training.runs import ROOT

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

NAME = "gemma-3-270m"
TEXT = "Admitted with acute heart failure. He has type 2 diabetes. No pneumonia."
KINDS = ("full", "lora", "dora", "qlora", "span_loop", "listed", "trimmed")
SHORT = ("--engine", "max_new_tokens=64", "--engine", "batch_size=4")

MODES: dict[str, tuple[str, ...]] = {
    "single_pass": (),
    "choose": ("--mode", "span_loop", "--loop", "candidates=5"),
    "generate": ("--mode", "span_loop", "--loop", "assignment=generate"),
    "verify": ("--mode", "span_loop", "--loop", "verify=true", "--loop", "recogniser=lexicon"),
}
"""Options of each way of coding, which has a grammar of its own."""


def cclearn(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cclearn", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not find_model(NAME).is_installed:
        pytest.skip("cclearn[gemma] is not installed")
    folder = tmp_path_factory.mktemp("models") / NAME
    assemble_model(NAME, folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """A folder with pairs, notes for training and notes for calibration."""
    folder = tmp_path_factory.mktemp("data")
    gold = find_builder("icd10cm")
    pairs = build(gold, configure(gold, {"under": "I21"}), folder / "pairs", system).data
    writer = find_builder("template_notes")
    # A calibration needs 50 codes, and a model of two steps gives few.
    for name, seed, count in (("train", 0, 12), ("dev", 1, 100)):
        settings = {"pairs": str(pairs), "notes": count, "seed": seed}
        build(writer, configure(writer, settings), folder / name, system)
    return folder


@pytest.fixture(scope="module")
def runs(
    gemma: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """The folder and the manifest of a run of two steps with each recipe."""
    folder = tmp_path_factory.mktemp("runs")
    made: dict[str, dict[str, Any]] = {}
    paths = {"span": data / "pairs" / "pairs.jsonl", "document": data / "train" / "notes.jsonl"}
    for kind in KINDS:
        name = {"dora": "lora", "listed": "full", "trimmed": "full"}.get(kind, kind)
        sources = ["document", "document", "span"] if kind == "span_loop" else ["span", "document"]
        settings = [
            *two_steps(gemma, folder / kind, [paths[source] for source in sources]),
            *("training.max_length=512", "training.batch_tokens=512", "training.accumulation=1"),
            *("training.log_every=1", "training.save_every=1"),
        ]
        settings += ["adapter.kind=dora"] if kind == "dora" else []
        settings += ["rows.template=listed"] if kind == "listed" else []
        settings += ["model.trim_vocabulary=true"] if kind == "trimmed" else []
        made[kind] = {"folder": folder / kind, "manifest": launched(f"{NAME}/sft_{name}", settings)}
    return made


def two_steps(gemma: Path, output: Path, sources: list[Path]) -> list[str]:
    """Return the overrides that make a recipe a run of two steps on other rows."""
    return [
        f"model.path={json.dumps(str(gemma))}",
        f"output={json.dumps(str(output))}",
        *("rows.evaluation=[]", "training.epochs=null", "training.steps=2"),
        *(f"rows.sources.{n}.path={json.dumps(str(path))}" for n, path in enumerate(sources)),
    ]


def launched(recipe: str, settings: list[str]) -> dict[str, Any]:
    """Run a recipe as a user does, and return the manifest of its model."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file"]
    command += [str(ROOT / "recipes" / "accelerate" / "cpu.yaml"), "-m", "recipes.sft"]
    command += ["--config", recipe, *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{recipe}: {done.stderr[-2_000:]}"
    output = load_recipe(recipe, settings).output
    return dict(json.loads((output / "manifest.json").read_text()))


def refuse_unusable(coded: Path) -> None:
    (note,) = read_coded_notes(coded)
    assert not note.invalid
    assert not note.ungrounded
    for code in note.codes:
        assert all(TEXT[e.start : e.end] == e.text for e in code.evidence)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_trained_and_codes(
    runs: dict[str, dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    made = runs[kind]
    assert made["manifest"]["steps"] == 2
    assert made["manifest"]["base_licence"]["name"] == "Gemma Terms of Use"
    # The trimmed vocabulary has other numbers.
    assert kind == "trimmed" or made["manifest"]["end_of_turn_id"] == 106
    assert "Gemma Terms of Use" in (made["folder"] / "README.md").read_text()
    losses = [
        json.loads(line) for line in (made["folder"] / "metrics.jsonl").read_text().splitlines()
    ]
    assert all(0 < entry["loss"] < 10 for entry in losses if "loss" in entry)
    note = tmp_path / "note.txt"
    note.write_text(TEXT)
    for mode, options in MODES.items():
        if kind in ("full", "listed") or mode == "single_pass" or kind == "span_loop":
            out = tmp_path / f"{mode}.jsonl"
            cclearn("code", note, "--model", made["folder"], "--out", out, *options, *SHORT)
            refuse_unusable(out)


# PEFT asks transformers by an old name.
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
def test_the_estimated_memory_is_near_the_measured_one(
    gemma: Path, data: Path, tmp_path: Path, kind: str
) -> None:
    recipe, paths = f"{NAME}/sft_{kind}", [data / "pairs" / "pairs.jsonl"]
    paths.append(data / "dev" / "notes.jsonl")
    settings = two_steps(gemma, tmp_path / "run", paths)
    (estimated,) = (m for m in dry_run(load_recipe(recipe, settings)).memory if m.device == "CPU")
    # The dry run holds what this process has loaded before, so that its own part is left out.
    process = 1.0
    measured = launched(recipe, settings)["peak_mib"] / 2**10
    assert estimated.total - estimated.process + process == pytest.approx(measured, rel=0.25)


def test_it_is_merged_and_served(runs: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    cclearn("merge", runs["lora"]["folder"], "--out", merged)
    note = tmp_path / "note.txt"
    note.write_text(TEXT)
    cclearn("code", note, "--model", merged, "--out", tmp_path / "coded.jsonl", *SHORT)
    refuse_unusable(tmp_path / "coded.jsonl")
    with serving("--model", str(merged), *SHORT) as served:
        reply = served.code({"id": "n", "text": TEXT})
        assert reply.status == 200
        assert reply.json["id"] == "n"


def test_it_is_calibrated(gemma: Path, data: Path, tmp_path: Path) -> None:
    paths = [data / "pairs" / "pairs.jsonl", data / "train" / "notes.jsonl"]
    # After two steps the model chooses `none` for every span, and a calibration needs codes.
    settings = [*two_steps(gemma, tmp_path / "run", paths), "training.steps=40"]
    settings += ["training.learning_rate=2e-4", "model.trim_vocabulary=true"]
    settings += ["training.max_length=512", "training.batch_tokens=512", "training.accumulation=1"]
    launched(f"{NAME}/sft_full", settings)
    calibrated = tmp_path / "calibration.json"
    cclearn(
        *("calibrate", "--model", tmp_path / "run", "--data", data / "dev" / "notes.jsonl"),
        *("--out", calibrated, "--mode", "span_loop", "--loop", "recogniser=lexicon"),
        *("--loop", "candidates=5"),
    )
    assert json.loads(calibrated.read_text())
