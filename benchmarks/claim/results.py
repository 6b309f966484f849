"""The results of all arms, as they are in `benchmarks/results/claim`, and what follows from them."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.runtime.parsing import read_json

RESULTS = Path(__file__).parent.parent / "results" / "claim"
COMPARISONS = "comparisons.json"

_LABEL = re.compile(r"(?P<arm>[a-z-]+?)(?:-1-(?P<ratio>\d+))?-seed(?P<seed>\d+)")


@dataclass(frozen=True, slots=True)
class ArmResults:
    """The results of an arm in a setting, with all of its seeds.

    Attributes:
        name: Name of the arm, with its ratio.
        seeds: Results by seed.
    """

    name: str
    seeds: dict[int, dict[str, Any]]

    def values(self, score: str, mode: str = "single_pass", point: int = -1) -> list[float]:
        """Return a score of each seed that has it.

        Args:
            score: Name of the score.
            mode: `single_pass` or `span_loop`.
            point: Index of the point of the run. -1 is the end.
        """
        modes = [result["points"][point]["modes"] for result in self.seeds.values()]
        scores = [of[mode]["scores"].get(score) for of in modes if mode in of]
        return [s["value"] for s in scores if s is not None and s["value"] is not None]

    def counts(self, name: str, point: int = -1) -> list[float]:
        """Return `tokens` or `seconds` of each seed at a point of the run."""
        return [result["points"][point][name] for result in self.seeds.values()]


def read_results(folder: Path = RESULTS) -> dict[str, dict[str, ArmResults]]:
    """Return the results of all arms, by the name of the setting and of the arm."""
    found: dict[str, dict[str, ArmResults]] = {}
    for path in sorted(folder.glob("*/*.json")):
        match = _LABEL.fullmatch(path.stem)
        if match is None:
            continue
        ratio = match["ratio"]
        name = match["arm"] + (f" 1:{ratio}" if ratio else "")
        arms = found.setdefault(path.parent.name, {})
        arm = arms.setdefault(name, ArmResults(name, {}))
        arm.seeds[int(match["seed"])] = read_json(path)
    return found


def token_shares(
    arm: ArmResults, reference: ArmResults, mode: str = "single_pass", score: str = "macro_f1"
) -> dict[int, float | None]:
    """Return the share of a reference's tokens at which an arm first has its final score, by seed.

    The share is that of the first point of the arm whose score is at least as high as the score at the
    end of the reference. None if there is no such point.

    Args:
        arm: Results of the arm.
        reference: Results of the arm whose score is to be reached.
        mode: `single_pass` or `span_loop`. Points that were not coded in it are passed over.
        score: Name of the score.
    """

    def value(point: dict[str, Any]) -> float:
        return float(point["modes"][mode]["scores"][score]["value"])

    shares: dict[int, float | None] = {}
    for seed in sorted(arm.seeds.keys() & reference.seeds.keys()):
        last = reference.seeds[seed]["points"][-1]
        reached = [
            point["tokens"] / last["tokens"]
            for point in arm.seeds[seed]["points"]
            if mode in point["modes"] and value(point) >= value(last)
        ]
        shares[seed] = min(reached, default=None)
    return shares


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Return the mean of values, followed by their range if there are several; `missing` without any."""
    if not values:
        return "missing"
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f}–{max(values):.{digits}f})"
