"""Functions that all benchmarks use: timing, and writing results."""

from __future__ import annotations

import json
import os
import platform
import statistics
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
