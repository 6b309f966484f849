from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def fuzz(folder: Path, *options: str) -> dict[str, int]:
    """Run the fuzz script in a process of its own, and return the tally of all inputs."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--out", str(folder / "table.json"), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-3000:]
    found = json.loads((folder / "table.json").read_text())
    assert found["defects"] == []
    total: dict[str, int] = found["total"]
    return total


def test_mutated_inputs_are_refused_in_one_line(tmp_path: Path) -> None:
    total = fuzz(tmp_path, "--light", "--inputs", "8", "--seed", "7")
    assert total["inputs"] == total["accepted"] + total["refused"] == 8


@pytest.mark.slow
def test_every_target_accepts_its_valid_input(tmp_path: Path) -> None:
    total = fuzz(tmp_path, "--valid")
    assert total["inputs"] == total["accepted"] > 200


@pytest.mark.slow
def test_many_mutated_inputs_of_every_command(tmp_path: Path) -> None:
    total = fuzz(tmp_path, "--inputs", "2000", "--seed", "8")
    assert total["inputs"] == total["accepted"] + total["refused"] == 2000
