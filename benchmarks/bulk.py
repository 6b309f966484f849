"""Bulk coding with the lexicon: memory, speed, several processes, interruptions and a Ray cluster.

python benchmarks/bulk.py [--notes 100000] [--kills 20]

The command runs in separate processes, as a user runs it. All notes are distinct (`note_pool`).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
from measure import save
from note_pool import WORDS, pool_notes

from cclearn import Coder, Note
from cclearn.bulk.corpora import open_corpus
from cclearn.notes.inputs import NoteSource, read_notes
from cclearn.notes.jsonl import write_rows

ROOT = Path(__file__).parent.parent
CODE = ["-m", "cclearn", "code"]
PROCESSES = ROOT / "recipes" / "accelerate" / "cpu_processes.yaml"
CODER_NOTES = 5_000
"""Number of notes on which the coder alone is timed, before and after each run."""

VARIABLE_FILES = ("summary.json", ".lock")
"""Names of files whose content depends on the time of the run."""


def environment() -> dict[str, str]:
    """Return the environment of the commands, in which each process uses one core."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def command(source: Path, out: Path, *more: str, processes: int = 1) -> list[str]:
    """Return the command that codes a corpus into a folder."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "accelerate.commands.launch", "--config_file", str(PROCESSES)]
        launcher += ["--num_processes", str(processes)]
    return [*launcher, *CODE, str(source), "--out", f"{out}/", *more]


def coder_speed(notes: list[Note]) -> float:
    """Return the notes per second of the coder alone, in this process."""
    coder = Coder.lexicon()
    for _ in islice(coder.code_many(notes), 10):
        pass  # The tables are loaded with the first note.
    started = time.perf_counter()
    for _ in coder.code_many(notes):
        pass
    return len(notes) / (time.perf_counter() - started)


def resident(process: psutil.Process) -> float:
    """Return the resident memory of a process and its descendants in MiB."""
    total = 0
    for member in (process, *process.children(recursive=True)):
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total / 2**20


def run_measured(arguments: list[str], out: Path) -> dict[str, Any]:
    """Run a command, and return its duration and its memory after the first finished shard."""
    started = time.perf_counter()
    process = subprocess.Popen(arguments, env=environment(), stderr=subprocess.DEVNULL)
    samples: list[tuple[float, float]] = []
    seen = psutil.Process(process.pid)
    first = None
    while process.poll() is None:
        if first is None and any(out.glob("shards/*.done")):
            first = time.perf_counter()
        if first is not None:
            samples.append((time.perf_counter(), resident(seen)))
        time.sleep(0.2)
    assert process.returncode == 0
    tenth = max(1, len(samples) // 10)
    begin = statistics.mean(mib for _, mib in samples[:tenth])
    end = statistics.mean(mib for _, mib in samples[-tenth - 1 : -1])
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "mib_first_tenth": round(begin, 1),
        "mib_last_tenth": round(end, 1),
        "mib_most": round(max(mib for _, mib in samples), 1),
        "last_by_first_tenth": round(end / begin, 4),
    }


def steady_speed(out: Path, rows: int, shards: int) -> float:
    """Return the notes per second between the first and the last finished shard."""
    done = sorted(path.stat().st_mtime for path in out.glob("shards/*.done"))
    assert len(done) == shards
    return rows * (shards - 1) / shards / (done[-1] - done[0])


def output_files(out: Path) -> dict[str, bytes]:
    """Return the content of the files of a run, without those that depend on its time."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name not in VARIABLE_FILES)
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def long_runs(folder: Path, count: int) -> dict[str, Any]:
    """Code a long corpus with one process and with two processes."""
    source = folder / "corpus.jsonl"
    write_rows(source, pool_notes(count))
    some = list(islice(read_notes(source), CODER_NOTES))
    shards = len(open_corpus(NoteSource((source,))).survey(1_000).shards)
    bare = [coder_speed(some)]
    one = run_measured(command(source, folder / "one"), folder / "one")
    bare.append(coder_speed(some))
    two = run_measured(command(source, folder / "two", processes=2), folder / "two")
    bare.append(coder_speed(some))
    assert output_files(folder / "one") == output_files(folder / "two")
    for name, run in (("one", one), ("two", two)):
        run["notes_per_second"] = round(count / run["seconds"], 1)
        run["notes_per_second_steady"] = round(steady_speed(folder / name, count, shards), 1)
    return {
        "notes": count,
        "words_a_note": WORDS,
        "megabytes": round(source.stat().st_size / 1e6, 1),
        "bare_notes_per_second": [round(speed, 1) for speed in bare],
        "one_process": one,
        "two_processes": two,
        "one_by_bare": round(one["notes_per_second"] / statistics.mean(bare[:2]), 3),
        "two_by_one": round(two["notes_per_second"] / one["notes_per_second"], 3),
        "two_by_one_steady": round(
            two["notes_per_second_steady"] / one["notes_per_second_steady"], 3
        ),
        "same_bytes": True,
    }


def killed_runs(folder: Path, kills: int) -> dict[str, Any]:
    """Kill a run at random moments, finish it, and compare it with an undisturbed run."""
    source, complete, out = folder / "short.jsonl", folder / "complete", folder / "killed"
    write_rows(source, pool_notes(5_000))
    arguments = ("--shard-size", "50")
    undisturbed = run_measured(command(source, complete, *arguments), complete)["seconds"]
    rng = random.Random(0)  # noqa: S311 - not for cryptography
    finished = []
    for _ in range(kills):
        process = subprocess.Popen(
            command(source, out, *arguments), env=environment(), stderr=subprocess.DEVNULL
        )
        # Most of the moments are during coding, some of them during the start.
        time.sleep(rng.uniform(0.2, 1.0 + 2 * undisturbed / kills))
        process.kill()
        process.wait()
        finished.append(len(list(out.glob("shards/*.done"))))
    left = 100 - finished[-1]
    subprocess.run(
        command(source, out, *arguments), env=environment(), check=True, stderr=subprocess.DEVNULL
    )
    return {
        "notes": 5_000,
        "kills": kills,
        "shards_finished_at_each": finished,
        "shards_left_for_the_last": left,
        "same_bytes": output_files(out) == output_files(complete),
    }


@contextmanager
def killing_a_worker(process: subprocess.Popen[bytes], out: Path) -> Iterator[list[int]]:
    """Kill one worker of a cluster when ten shards are finished. Yield its process id."""
    killed: list[int] = []
    while process.poll() is None and not killed:
        if len(list(out.glob("shards/*.done"))) > 10:
            below = psutil.Process(process.pid).children(recursive=True)
            workers = [p for p in below if "MapWorker" in " ".join(p.cmdline())]
            if workers:
                workers[0].kill()
                killed.append(workers[0].pid)
        time.sleep(0.05)
    yield killed


def cluster(folder: Path) -> dict[str, Any]:
    """Code on two workers of a local cluster, one of which is killed during the run."""
    source, out = folder / "short.jsonl", folder / "cluster"
    started = time.perf_counter()
    process = subprocess.Popen(
        command(source, out, "--shard-size", "50", "--ray", "local", "--workers", "2"),
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    with killing_a_worker(process, out) as killed:
        process.wait()
    assert process.returncode == 0
    return {
        "notes": 5_000,
        "workers_killed": len(killed),
        "seconds": round(time.perf_counter() - started, 1),
        "same_bytes": output_files(out) == output_files(folder / "complete"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cclearn-bulk-") as name:
        folder = Path(name)
        runs = long_runs(folder, arguments.notes)
        stops = killed_runs(folder, arguments.kills)
        save("bulk", {"long": runs, "killed": stops, "cluster": cluster(folder)})


if __name__ == "__main__":
    main()
