"""kill -9 at any moment of a review loses no decision that was confirmed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from tests.review.reviews import coded_note, start

KILLS = 20


@pytest.mark.slow
def test_no_confirmed_decision_is_lost(tmp_path: Path, system: CodeSystem) -> None:
    start(tmp_path, system, [coded_note(f"n{n}") for n in range(3)]).log.close()
    path = tmp_path / "reviewed" / "decisions" / "anna.jsonl"
    rng = random.Random(0)
    confirmed: list[str] = []
    for _ in range(KILLS):
        command = [sys.executable, "-m", "tests.review.scripted_review", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.01, 0.3))
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().splitlines(keepends=True)
        confirmed += [line for line in lines if line.endswith("\n")]
        saved = path.read_text().splitlines(keepends=True)
        assert set(confirmed) <= set(saved)
    assert len(confirmed) > 10 * KILLS
    session = start(tmp_path, system, [])
    assert {line for line in path.read_text().splitlines(keepends=True)} >= set(confirmed)
    session.log.close()
