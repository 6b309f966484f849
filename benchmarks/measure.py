"""Functions that all benchmarks use: timing, and writing results."""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cclearn.training.manifest import package_versions

RESULTS = Path(__file__).parent / "results"


def seconds(action: Callable[[], object], runs: int = 5) -> dict[str, float]:
    """Return the shortest, the median and the longest duration of an action in seconds.

    Args:
        action: Function to call.
        runs: Number of calls.
    """
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return {
        "minimum": round(min(taken), 4),
        "median": round(statistics.median(taken), 4),
        "maximum": round(max(taken), 4),
    }


def timed_build(arguments: list[str], out: Path) -> dict[str, Any]:
    """Run `cclearn build` in a separate process. Return its rows, rejected rows, time and memory.

    Args:
        arguments: Name of the builder, settings and options.
        out: Output folder.
    """
    started = time.perf_counter()
    process = subprocess.Popen(build_command(arguments, out), **_QUIET)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    stats = json.loads((out / "stats.json").read_text())
    return {
        "rows": stats["rows"],
        "rejected": sum(stats["rejected"].values()),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mib": round(usage.ru_maxrss / 2**10),
    }


def killed_build(arguments: list[str], out: Path, after: float) -> bool:
    """Run `cclearn build`, and kill it with all its processes. Return whether it was still running.

    Args:
        arguments: Name of the builder, settings and options.
        out: Output folder.
        after: Seconds after which it is killed.
    """
    command = build_command(arguments, out)
    process = subprocess.Popen(command, start_new_session=True, **_QUIET)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def build_command(arguments: list[str], out: Path) -> list[str]:
    """Return the command line of `cclearn build`."""
    return [sys.executable, "-m", "cclearn", "build", *arguments, "--out", str(out)]


_QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def save(name: str, figures: dict[str, Any]) -> None:
    """Print figures, and write them with the machine and the versions of the packages.

    Args:
        name: Name of the file in `benchmarks/results/`, without its suffix.
        figures: Measured values by name.
    """
    result = {
        "machine": {"cores": os.cpu_count(), "system": platform.system()},
        "versions": package_versions(),
        **figures,
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=2, sort_keys=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
