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
from data_builders.builder import build, configure, find_builder
from tests.service.served import serving
from tests.training.runs import ROOT

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

NAME = "gemma-3-270m"
TEXT = "Admitted with acute heart failure. He has type 2 diabetes. No pneumonia."
KINDS = ("full", "lora", "dora", "qlora", "span_loop", "listed")
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
        name = {"dora": "lora", "listed": "full"}.get(kind, kind)
        settings = [
            f"model.path={json.dumps(str(gemma))}",
            f"output={json.dumps(str(folder / kind))}",
            *("rows.evaluation=[]", "training.epochs=null", "training.steps=2"),
            *("training.max_length=512", "training.batch_tokens=512", "training.accumulation=1"),
            *("training.log_every=1", "training.save_every=1"),
        ]
        sources = ["document", "document", "span"] if kind == "span_loop" else ["span", "document"]
        settings += [
            f"rows.sources.{number}.path={json.dumps(str(paths[source]))}"
            for number, source in enumerate(sources)
        ]
        settings += ["adapter.kind=dora"] if kind == "dora" else []
        settings += ["rows.template=listed"] if kind == "listed" else []
        command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file"]
        command += [str(ROOT / "recipes" / "accelerate" / "cpu.yaml"), "-m", "recipes.sft"]
        command += ["--config", f"{NAME}/sft_{name}", *settings]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{kind}: {done.stderr[-2_000:]}"
        manifest = json.loads((folder / kind / "manifest.json").read_text())
        made[kind] = {"folder": folder / kind, "manifest": manifest}
    return made


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
    assert made["manifest"]["end_of_turn_id"] == 106
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


def test_it_is_merged_served_and_calibrated(
    runs: dict[str, dict[str, Any]], data: Path, tmp_path: Path
) -> None:
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
    full = runs["full"]["folder"]
    calibrated = tmp_path / "calibration.json"
    cclearn(
        *("calibrate", "--model", full, "--data", data / "dev" / "notes.jsonl"),
        # Written in one pass, no code of a model of two steps is right.
        *("--out", calibrated, "--mode", "span_loop", "--loop", "recogniser=lexicon"),
        *("--loop", "candidates=5"),
    )
    assert json.loads(calibrated.read_text())
