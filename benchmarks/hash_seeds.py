"""Checks that the bytes of coded notes depend neither on the hash seed nor on an interruption.

python benchmarks/hash_seeds.py [--mode lexicon|span_loop|single_pass] [--notes 10000] [--seeds 8]
    [--jobs 1]

For each `PYTHONHASHSEED`, `cclearn code` codes notes into a folder: once without interruption, and once
with a `kill -9` when half of the shards are finished. The SHA-256 of every file of every folder is
compared with that of the first run. The lock file and the pace in `summary.json` are ignored.

The lexicon codes template notes. The two modes with a model code short notes with two conditions of one
block. A small model is trained on such notes first. The notes and the model are built with fixed seeds,
unless the folder of `--work` contains them. Runs that are in that folder are not repeated, so that an
interrupted measurement can be continued.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from measure import RESULTS, save

from cclearn.codes import CodeSystem

ROOT = Path(__file__).parent.parent
BLOCK = "I20-I25"
SMALLER = ("model.scratch.hidden_size=64", "model.scratch.layers=3", "training.steps=600")
SHARDS = 10
MODES = ("lexicon", "span_loop", "single_pass")


def prepare(work: Path, count: int) -> None:
    """Write the notes and, for the modes with a model, shorter notes and the model.

    Nothing is written if the work folder contains them.
    """
    if (work / "prepared").exists():
        assert (work / "prepared").read_text() == str(count), "the work folder has another count"
        return
    from cclearn.notes.jsonl import read_coded_notes, write_rows
    from cclearn.workflows.quickstart import QuickstartData, train
    from data_builders.builder import configure, find_builder
    from data_builders.output import build

    system = CodeSystem.load()
    spans, writer = find_builder("icd10cm"), find_builder("template_notes")
    pairs = build(spans, configure(spans, {}), work / "pairs", system).data
    config = configure(writer, {"pairs": str(pairs), "notes": count})
    coded = build(writer, config, work / "notes", system).data
    write_rows(work / "notes.jsonl", (note.note for note in read_coded_notes(coded)))
    pairs = build(spans, configure(spans, {"under": BLOCK}), work / "block_pairs", system).data
    joined = find_builder("joined_spans")
    for name, seed, rows in (("training", 1, 2_000), ("short", 2, count)):
        settings = {"pairs": str(pairs), "rows": rows, "seed": seed, "most": 2}
        build(joined, configure(joined, settings), work / name, system)
    training, short = (work / name / "notes.jsonl" for name in ("training", "short"))
    write_rows(work / "short.jsonl", (note.note for note in read_coded_notes(short)))
    # A model with random weights answers `none`: equal outputs would then show nothing.
    data = QuickstartData(pairs, training, short, span_only=frozenset())
    train("tiny/sft_scratch", data, work / "model", list(SMALLER))
    (work / "prepared").write_text(str(count))


def command(work: Path, mode: str, out: Path, count: int) -> list[str]:
    """Return the command of a run."""
    shard = str(max(1, count // SHARDS))
    notes = str(work / ("notes.jsonl" if mode == "lexicon" else "short.jsonl"))
    line = [
        sys.executable,
        "-m",
        "cclearn",
        "code",
        notes,
        "--out",
        f"{out}/",
        "--shard-size",
        shard,
    ]
    if mode == "lexicon":
        return line
    line += ["--model", str(work / "model"), "--mode", mode]
    line += ["--engine", "max_new_tokens=64", "--engine", "batch_size=64"]
    if mode == "span_loop":
        line += ["--loop", "recogniser=lexicon", "--loop", "candidates=10"]
    return line


def run_command(line: list[str], seed: int, out: Path, kill: bool) -> None:
    """Run a command to its end. With `kill`, it is killed half-way and run again."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
    quiet = {"env": environment, "stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    if kill:
        process = subprocess.Popen(line, **quiet)
        while process.poll() is None and len(list(out.glob("shards/*.done"))) < SHARDS // 2:
            time.sleep(0.02)
        process.kill()
        process.wait()
        done = len(list(out.glob("shards/*.done")))
        assert 0 < done < SHARDS, f"{done} of {SHARDS} shards were finished when it was killed"
        # The second process has another seed, as it has without PYTHONHASHSEED.
        environment["PYTHONHASHSEED"] = str(seed + 1_000)
    subprocess.run(line, check=True, **quiet)


def hashes(out: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a run, without the pace in the summary."""
    digests = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.name == "summary.json":
            summary = json.loads(content)
            del summary["pace"]
            content = json.dumps(summary, sort_keys=True).encode()
        if path.name != ".lock":
            digests[path.relative_to(out).as_posix()] = hashlib.sha256(content).hexdigest()
    return digests


def measure(work: Path, mode: str, count: int, seeds: int, jobs: int) -> dict[str, Any]:
    """Code the notes with every hash seed, straight and resumed, and compare the folders.

    Args:
        work: Folder that `prepare` filled. The finished runs are stored there.
        mode: Mode of the coder.
        count: Number of notes.
        seeds: Number of hash seeds.
        jobs: Number of runs at a time.
    """
    kept = work / f"{mode}.json"
    runs: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    lock = Lock()

    def run(seed: int, kind: str) -> None:
        with tempfile.TemporaryDirectory(prefix="cclearn-seed-", dir=work) as folder:
            out = Path(folder) / "coded"
            started = time.perf_counter()
            run_command(command(work, mode, out, count), seed, out, kill=kind == "resumed")
            taken = round(time.perf_counter() - started, 1)
            codes = json.loads((out / "summary.json").read_text())["codes"]
            made = {"seconds": taken, "codes": codes, "sha256": hashes(out)}
        with lock:
            runs[f"{kind} {seed}"] = made
            kept.write_text(json.dumps(runs))
            print(f"{mode}, hash seed {seed}, {kind}: {taken} s", file=sys.stderr)

    with ThreadPoolExecutor(jobs) as pool:
        waiting = [
            pool.submit(run, seed, kind)
            for seed in range(seeds)
            for kind in ("straight", "resumed")
            if f"{kind} {seed}" not in runs
        ]
        for future in waiting:
            future.result()
    first = runs["straight 0"]["sha256"]
    differing = {
        name: sorted(
            file
            for file in first.keys() | run["sha256"].keys()
            if first.get(file) != run["sha256"].get(file)
        )
        for name, run in runs.items()
    }
    return {
        "notes": count,
        "codes": runs["straight 0"]["codes"],
        "runs": len(runs),
        "files_of_each": len(first),
        "runs_that_differ": {name: files for name, files in differing.items() if files},
        "same_bytes": not any(differing.values()),
        "seconds": round(sum(run["seconds"] for run in runs.values()), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, action="append", help="may be repeated")
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--work", type=Path, help="folder for the notes, the model and the runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cclearn-seeds-") as name:
        work = (arguments.work or Path(name)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        prepare(work, arguments.notes)
        found = {
            mode: measure(work, mode, arguments.notes, arguments.seeds, arguments.jobs)
            for mode in arguments.mode or MODES
        }
    # The figures of modes that were measured earlier are kept.
    path = RESULTS / "hash_seeds.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    kept = {mode: before[mode] for mode in MODES if mode in before}
    save("hash_seeds", {**kept, **found})


if __name__ == "__main__":
    main()
