"""The results of all arms, as they are in `benchmarks/results/claim`, and what follows from them."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.coding.identity import difference
from cclearn.errors import ConfigurationError
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

    def supervised_tokens(self) -> list[float]:
        """Return the number of tokens that contributed to the loss until the end, of each seed."""
        return [
            sum(source["supervised_tokens"] for source in result["sources"].values())
            for result in self.seeds.values()
            if "sources" in result
        ]

    def repeats(self) -> list[float]:
        """Return how often the rows of the documents were repeated, of each seed with documents."""
        sources = [result.get("sources", {}) for result in self.seeds.values()]
        return [found["documents"]["repeats"] for found in sources if "documents" in found]

    def counts(self, name: str, point: int = -1) -> list[float]:
        """Return `tokens` or `seconds` of each seed at a point of the run."""
        return [result["points"][point][name] for result in self.seeds.values()]


def read_results(folder: Path = RESULTS) -> dict[str, dict[str, ArmResults]]:
    """Return the results of all arms, by the name of the setting and of the arm.

    Raises:
        ConfigurationError: Two arms of a setting cannot be compared.
    """
    found: dict[str, dict[str, ArmResults]] = {}
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*/*.json")):
        if path.name == COMPARISONS:
            continue
        name, seed = arm_and_seed(path.stem)
        arms = found.setdefault(path.parent.name, {})
        arm = arms.setdefault(name, ArmResults(name, {}))
        result = read_json(path)
        arm.seeds[seed] = result
        label, other = first.setdefault(path.parent.name, (path.stem, result))
        problems += incomparable({label: other, path.stem: result})
    if problems:
        raise ConfigurationError(problems)
    return found


def arm_and_seed(label: str) -> tuple[str, int]:
    """Return the name of an arm with its ratio, and its seed.

    Args:
        label: Name of the arm in paths, such as `mixed-1-4-seed0`.

    Raises:
        ValueError: It is not the label of an arm.
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        raise ValueError(f"label ({label}): it is not of the form ARM-seedN or ARM-1-RATIO-seedN.")
    ratio = match["ratio"]
    return match["arm"] + (f" 1:{ratio}" if ratio else ""), int(match["seed"])


def incomparable(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the reasons why two results cannot be compared: other data, code, tokens or devices.

    Args:
        results: Results of two arms by their labels.
    """
    identities = [
        {**result["identity"], "arm": {"tokens": result["identity"]["arm"]["tokens"]}}
        for result in results.values()
    ]
    return [
        f"arms ({' and '.join(results)}): {entry.key} is {entry.theirs} and {entry.ours}. Run one again."
        for entry in difference(identities[0], identities[-1])
    ]


@dataclass(frozen=True, slots=True)
class Reached:
    """Where an arm first has the final score of a reference, as shares of the tokens of the reference.

    Attributes:
        after: Share at the last point before, whose score was lower. 0 if there is none.
        by: Share at the first point that has the score. None if no point has it.
    """

    after: float
    by: float | None


def token_shares(
    arm: ArmResults, reference: ArmResults, mode: str = "single_pass", score: str = "macro_f1"
) -> dict[int, Reached]:
    """Return between which of its points an arm first has the final score of a reference, by seed.

    A point has it if its score is at least as high as the score at the end of the reference. Seeds whose
    reference ends with a score of 0, which every model has, are left out.

    Args:
        arm: Results of the arm.
        reference: Results of the arm whose score is to be reached.
        mode: `single_pass` or `span_loop`. Points that were not coded in it are passed over.
        score: Name of the score.
    """

    def value(point: dict[str, Any]) -> float:
        return float(point["modes"][mode]["scores"][score]["value"])

    shares: dict[int, Reached] = {}
    for seed in sorted(arm.seeds.keys() & reference.seeds.keys()):
        last = reference.seeds[seed]["points"][-1]
        if mode not in last["modes"] or value(last) == 0:
            continue
        after = 0.0
        for point in arm.seeds[seed]["points"]:
            if mode not in point["modes"]:
                continue
            share = point["tokens"] / last["tokens"]
            if value(point) >= value(last):
                shares[seed] = Reached(after, share)
                break
            after = share
        else:
            shares[seed] = Reached(after, None)
    return shares


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Return the mean of values, followed by their range if there are several; `missing` without any."""
    if not values:
        return "missing"
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f}–{max(values):.{digits}f})"
