from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.training.plm import run_plm
from tests.training.runs import build_data, plm_recipe


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """A folder with pairs and notes."""
    return build_data(tmp_path_factory.mktemp("data"), system)


@pytest.fixture(scope="session")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a discriminative coder that has learnt a little."""
    learning = ("training.steps=60", "training.optimizer=muon", "training.learning_rate=1e-2")
    return run_plm(plm_recipe(data, tmp_path_factory.mktemp("plm") / "run", *learning))
