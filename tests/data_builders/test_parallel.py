import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from data_builders.builder import configure, find_builder
from data_builders.output import build
from data_builders.parallel import in_process, in_processes, number_ranges


@given(st.integers(min_value=0, max_value=3000))
def test_number_ranges_cover_all_numbers(count: int) -> None:
    assert list(chain.from_iterable(number_ranges(count))) == list(range(1, count + 1))


def to_numbers() -> type[int]:
    return int


def test_results_come_in_the_order_of_the_tasks() -> None:
    tasks = [str(number) for number in range(50)]
    assert list(in_process(to_numbers, iter(tasks))) == list(range(50))
    assert list(in_processes(2)(to_numbers, iter(tasks))) == list(range(50))


def test_builders_report_whether_they_have_a_parallel_step(tmp_path: Path) -> None:
    pairs = find_builder("icd10cm")
    assert not pairs.has_parallel_step(configure(pairs, {}))
    assert pairs.has_parallel_step(configure(pairs, {"variants": 1}))
    notes = find_builder("template_notes")
    assert notes.has_parallel_step(configure(notes, {"pairs": "pairs.jsonl", "notes": 1}))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a socket of Ray's has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as name:
        (Path(name) / "ray").mkdir()
        yield Path(name)


def run(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "RAY_TMPDIR": str(folder / "ray")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


_KILLING = """
import os, signal
from functools import partial
from pathlib import Path
from cclearn.runtime.ray_cluster import ray_cluster
from data_builders.builder import configure, find_builder
from data_builders.output import build
from data_builders.parallel import on_ray

class Killed:
    "Does the work, but that its process dies at the second task, once."
    def __init__(self, make, mark):
        self.work, self.mark = make(), mark
    def __call__(self, task):
        if task[0] == 501 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.work(task)

class Broken:
    def __call__(self, task):
        raise ValueError("the words of a note")

def killing(make, tasks):
    return parallel_map(partial(Killed, make, Path("killed").absolute()), tasks)

def breaking(make, tasks):
    return parallel_map(Broken, tasks)

with ray_cluster("local") as ray:
    parallel_map = on_ray(ray)
    pairs = find_builder("icd10cm")
    config = configure(pairs, {"under": "I20-I25", "variants": 4})
    build(pairs, config, Path("pairs-ray"), parallel_map=parallel_map)
    for name, settings in (("template_notes", {"notes": 1200}), ("joined_spans", {"rows": 1200})):
        builder = find_builder(name)
        config = configure(builder, {"pairs": "pairs/pairs.jsonl", **settings})
        build(builder, config, Path(f"{name}-ray"), parallel_map=killing)
        assert Path("killed").exists()
    build(builder, config, Path("broken"), parallel_map=breaking)
"""


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes_and_survives_a_lost_worker(
    folder: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # The manifest names files as they were given.
    builder = find_builder("icd10cm")
    build(builder, configure(builder, {"under": "I20-I25", "variants": 4}), Path("pairs"), system)
    for name, settings in (("template_notes", {"notes": 1200}), ("joined_spans", {"rows": 1200})):
        builder = find_builder(name)
        config = configure(builder, {"pairs": "pairs/pairs.jsonl", **settings})
        build(builder, config, Path(name), system)
    Path("script.py").write_text(_KILLING, encoding="utf-8")
    process = run(folder, "script.py")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith(
        "cclearn.runtime.ray_cluster.WorkerError: a worker failed: ValueError"
    )
    assert "the words of a note" not in errors
    for name in ("pairs", "template_notes", "joined_spans"):
        assert contents(folder / f"{name}-ray") == contents(folder / name)
    assert list((folder / "ray").iterdir()) == []
    assert not (folder / "broken").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_build_on_a_cluster_that_is_stopped_leaves_nothing(
    folder: Path, number: int, status: int
) -> None:
    command = "from cclearn.cli.main import main; main()"
    arguments = ["build", "icd10cm", "under=19", "variants=8", "--out", "out", "--ray", "local"]
    process = run(folder, "-c", command, *arguments)
    deadline = time.monotonic() + 60
    while not list(folder.glob(".out.partial*/rejected.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(2)  # Actors are being started, or are at work.
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert [path.name for path in folder.iterdir()] == ["ray"]
    assert list((folder / "ray").iterdir()) == []
