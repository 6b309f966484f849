"""The notebooks of `examples/` run, and print what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks import FOLDER, notebooks, printed, stored


def test_there_are_notebooks() -> None:
    assert {path.stem for path in notebooks()} == {"coding", "training"}


def test_the_notebook_on_coding_prints_what_it_shows(tmp_path: Path) -> None:
    path = FOLDER / "coding.ipynb"
    assert printed(path, tmp_path) == stored(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_notebook_on_training_prints_what_it_shows(tmp_path: Path) -> None:
    path = FOLDER / "training.ipynb"
    assert printed(path, tmp_path) == stored(path)
