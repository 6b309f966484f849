from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from cclearn.bulk import BulkOptions, code_corpus
from cclearn.coding.settings import CoderSettings
from tests.bulk.corpora import files_in, write_jsonl

COMMAND = [sys.executable, "-m", "cclearn", "code"]


def command(source: Path, out: Path, *more: str) -> list[str]:
    return [*COMMAND, str(source), "--out", f"{out}/", "--shard-size", "100", *more]


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that code, of the cluster that a command has started."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        return [each for each in below if "MapWorker" in " ".join(each.cmdline())]
    except psutil.Error:
        return []


def test_a_cluster_writes_the_same_bytes_though_a_worker_is_killed(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 8_000)
    code_corpus(source, tmp_path / "one", CoderSettings(), BulkOptions(shard_size=100))
    two = tmp_path / "two"
    process = subprocess.Popen(
        command(source, two, "--ray", "local", "--workers", "2"),
        stderr=subprocess.PIPE,
        text=True,
    )
    killed: list[int] = []
    while process.poll() is None and len(killed) < 2:
        finished = len(list(two.glob("shards/*.done")))
        if finished > 10 * (1 + len(killed)) and (workers := workers_of(process)):
            workers[0].kill()
            killed.append(workers[0].pid)
        time.sleep(0.02)
    _, told = process.communicate()
    assert process.returncode == 0, told
    assert len(set(killed)) == 2
    assert "notes coded: 8,000 (" in told
    assert "Traceback" not in told
    assert files_in(two) == files_in(tmp_path / "one")


def test_an_error_of_a_worker_is_one_line(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 20)
    calibration = tmp_path / "calibration.json"
    calibration.write_text("{}")
    done = subprocess.run(
        command(source, tmp_path / "out", "--ray", "local", "--calibration", str(calibration)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no calibration" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 20)
    done = subprocess.run(
        command(source, tmp_path / "out", "--ray", "127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "ray (address = 127.0.0.1:1): nothing answers there" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not list(tmp_path.glob("out/shards/*"))
