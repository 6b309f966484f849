"""Speed and memory of this checkout beside those of another one, such as an earlier commit.

git worktree add ../before COMMIT
python benchmarks/two_trees.py --before ../before [--rounds 3] [--only startup]

The benchmarks that take minutes run in both checkouts in turn, each time in a process of its own. Every
figure of the result is the median over the rounds. The results of the benchmarks themselves are not
changed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import save

from cclearn.coding.identity import flatten

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("startup", "code_system", "phrase_matching", "evaluation")
BUILD = """
import json, tempfile
from pathlib import Path
from builders import VARIANTS, build
with tempfile.TemporaryDirectory() as name:
    build(Path(name) / "warm", variants=0)
    print(json.dumps(build(Path(name) / "one", cores=1, variants=VARIANTS)))
"""
"""The builder with 8 variants. The script `builders.py` measures 80 too, which takes much longer."""


def run(tree: Path, name: str) -> dict[str, Any]:
    """Run one benchmark in a checkout and return its figures."""
    scripts = tree / "benchmarks"
    environment = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{scripts}"}
    command = (
        [sys.executable, "-c", BUILD] if name == "builders" else [sys.executable, f"{name}.py"]
    )
    result = scripts / "results" / f"{name}.json"
    before = result.read_bytes()
    try:
        done = subprocess.run(
            command, cwd=scripts, env=environment, stdout=subprocess.PIPE, check=True
        )
        figures = json.loads(done.stdout if name == "builders" else result.read_bytes())
    finally:
        result.write_bytes(before)
    return {key: value for key, value in figures.items() if key not in ("machine", "versions")}


def numbers(figures: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers among figures, each with its dotted key."""
    for key, value in flatten(figures):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value


def compare(before: Path, name: str, rounds: int) -> dict[str, dict[str, float]]:
    """Run one benchmark in both checkouts in turn and return the medians of its figures."""
    trees = {"before": before, "now": ROOT}
    measured: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds):
        for label, tree in trees.items():
            print(f"{name}, round {number + 1} of {rounds}, {label}", file=sys.stderr)
            for key, value in numbers(run(tree, name)):
                measured.setdefault(key, {}).setdefault(label, []).append(value)
    found = {}
    for key, values in measured.items():
        if len(values) < len(trees):  # A figure that only one of the checkouts measures.
            continue
        medians = {label: statistics.median(values[label]) for label in trees}
        spread = {f"{label}_range": [min(values[label]), max(values[label])] for label in trees}
        ratio = round(medians["now"] / medians["before"], 3) if medians["before"] else None
        found[key] = {**medians, **spread, "ratio": ratio}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="See the module.")
    parser.add_argument("--before", type=Path, required=True, help="folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each benchmark")
    parser.add_argument("--only", choices=(*SCRIPTS, "builders"), action="append")
    arguments = parser.parse_args()
    before = arguments.before.resolve()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - the git of the user's path
        cwd=before,
        capture_output=True,
        check=True,
    )
    names = arguments.only or (*SCRIPTS, "builders")
    figures = {name: compare(before, name, arguments.rounds) for name in names}
    save("two_trees", {"before": commit.stdout.decode().strip(), "benchmarks": figures})


if __name__ == "__main__":
    main()
