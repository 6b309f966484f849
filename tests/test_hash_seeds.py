from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bulk.corpora import files_in
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model with random weights."""
    from tests.models import random_engine

    folder = tmp_path_factory.mktemp("models") / "tiny"
    engine = random_engine()
    engine.model.save_pretrained(folder)
    engine.tokenizer.save_pretrained(folder)
    return folder


def written(seeds: range, model: Path, folder: Path) -> list[dict[str, bytes]]:
    """Run `tests.end_to_end` in a process for each hash seed, all at once, each with its own cache."""
    processes = []
    for seed in seeds:
        work = folder / f"seed-{seed}"
        work.mkdir()
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(seed),
            "PYTHONPATH": str(ROOT),
            "CCLEARN_CACHE": str(work / "cache"),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "tests.end_to_end", str(model)]
        processes.append(
            subprocess.Popen(
                command,
                cwd=work,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        )
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()[-3000:]
    return [files_in(folder / f"seed-{seed}") for seed in seeds]


def differing(runs: list[dict[str, bytes]]) -> list[str]:
    """Return the files that are not the same in all runs."""
    names = sorted({name for run in runs for name in run})
    return [name for name in names if len({run.get(name) for run in runs}) > 1]


@pytest.mark.slow
def test_the_hash_seed_changes_no_byte(model: Path, tmp_path: Path) -> None:
    runs = written(range(4), model, tmp_path) + written(range(4, 8), model, tmp_path)
    assert differing(runs) == []
    for name in ("coded/shards/00000.jsonl", "scores/report.html", "tokenizer/tokenizer.json"):
        assert runs[0][name]
