from __future__ import annotations

import gc
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.training.sft import run_sft
from tests.training.runs import build_data, tiny_recipe


@pytest.fixture(scope="module", autouse=True)
def _exempt_from_garbage_collection() -> None:
    """Exempt what is loaded from garbage collection: every training begins with one."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """A folder with pairs and notes."""
    return build_data(tmp_path_factory.mktemp("data"), system)


@pytest.fixture(scope="session")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of six steps from random weights."""
    return run_sft(tiny_recipe(data, tmp_path_factory.mktemp("runs") / "run"))
