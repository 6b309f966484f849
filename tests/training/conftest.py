from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.training.sft import run_sft
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.training.runs import tiny_recipe


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """A folder with pairs and notes."""
    folder = tmp_path_factory.mktemp("data")
    gold = find_builder("icd10cm")
    pairs = build(gold, configure(gold, {"under": "I21"}), folder / "pairs", system).data
    notes = find_builder("template_notes")
    short = {"most_codes": 2, "longest_mention": 40}
    config = configure(notes, {"pairs": str(pairs), "notes": 20, **short})
    build(notes, config, folder / "notes", system)
    return folder


@pytest.fixture(scope="session")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of six steps from random weights."""
    return run_sft(tiny_recipe(data, tmp_path_factory.mktemp("runs") / "run"))
