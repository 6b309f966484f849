from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cclearn.bulk import BulkOptions, code_corpus
from cclearn.bulk.ray_data import count_gpus, refuse_other_machines
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from tests.bulk.corpora import files_in, write_jsonl

COMMAND = [sys.executable, "-m", "cclearn", "code"]


def command(source: Path, out: Path, *more: str) -> list[str]:
    return [*COMMAND, str(source), "--out", f"{out}/", "--shard-size", "100", *more]


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that code, of the cluster that a command has started."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        return [child for child in below if "MapWorker" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


@pytest.mark.slow
@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes_if_a_worker_is_killed(tmp_path: Path) -> None:
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
    _, printed = process.communicate()
    assert process.returncode == 0, printed
    assert len(set(killed)) == 2
    assert "notes coded: 8,000 (" in printed
    assert "Traceback" not in printed
    assert files_in(two) == files_in(tmp_path / "one")


@pytest.mark.slow
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


def test_a_missing_cluster_is_reported_on_one_line(tmp_path: Path) -> None:
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


class Cluster:
    """Has the two functions of `ray` that tell where a cluster runs."""

    class util:
        @staticmethod
        def get_node_ip_address() -> str:
            return "10.0.0.1"

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    def nodes(self) -> list[dict[str, object]]:
        return [{"NodeManagerAddress": address, "Alive": True} for address in self._addresses]


def test_notes_are_sent_to_other_machines_only_with_both_permissions() -> None:
    twice = EngineSettings(send_restricted=True, may_send_restricted=True)
    one, two = Cluster("10.0.0.1", "10.0.0.1"), Cluster("10.0.0.1", "10.0.0.2")
    refuse_other_machines(one, "auto", CoderSettings())
    refuse_other_machines(two, "auto", CoderSettings(engine=twice))
    for permissions in ({}, {"send_restricted": True}, {"may_send_restricted": True}):
        settings = CoderSettings(engine=EngineSettings(**permissions))
        with pytest.raises(
            ConfigurationError, match=r"has 1 other machines.*set both send_restricted"
        ):
            refuse_other_machines(two, "auto", settings)


@pytest.mark.parametrize(
    ("model", "recogniser", "gpus"),
    [
        ("lexicon", None, 0),
        ("lexicon", "runs/recogniser", 1),
        ("lexicon", "vllm:runs/recogniser", 2),
        ("lexicon", "spacy:runs/recogniser", 0),
        ("openai:x", "lexicon", 0),
        ("runs/model", None, 1),
        ("vllm:runs/model", "runs/recogniser", 2),
    ],
)
def test_workers_request_the_gpus_of_all_their_models(
    model: str, recogniser: str | None, gpus: int
) -> None:
    settings = CoderSettings(
        model=model,
        engine=EngineSettings(tensor_parallel_size=2),
        loop=LoopSettings(recogniser=recogniser),
    )
    assert count_gpus(settings) == gpus
