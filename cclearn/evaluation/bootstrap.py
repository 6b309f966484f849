"""Bootstrap intervals and comparisons of systems, over notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cclearn.evaluation.metrics.tables import Array, Table

_BLOCK = 32
"""Draws that are summed at once."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score of a system.

    Attributes:
        value: On all notes; None where it is not defined.
        low: The 2.5th percentile of the bootstrap; None without one.
        high: The 97.5th.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A score of one system less that of another, on the same notes.

    Attributes:
        value: On all notes.
        low: The 2.5th percentile of the paired bootstrap.
        high: The 97.5th.
        p_bootstrap: Twice the smaller share of draws on one side of 0, at most 1; one is added to both
            counts.
        p_randomisation: The share of random exchanges of the systems' answers, note by note, whose
            absolute difference is at least as large (Noreen 1989), likewise; None for scores by rank,
            which are no sums over notes.
    """

    value: float | None
    low: float | None
    high: float | None
    p_bootstrap: float | None
    p_randomisation: float | None


def score_tables(
    systems: Mapping[str, Sequence[Table]], rows: int, draws: int, seed: int, compare: bool
) -> tuple[dict[str, dict[str, Score]], dict[tuple[str, str], dict[str, Difference]]]:
    """Return the scores of systems with their intervals, and how each pair of them differs.

    Args:
        systems: By name, the tables of each, filled alike.
        rows: How many notes or spans there are.
        draws: Of the bootstrap and of the randomisation; 0 leaves intervals and differences out.
        seed: Decides them.
        compare: Whether pairs are compared.
    """
    values = {name: point(tables, rows) for name, tables in systems.items()}
    drawn = bootstrap(systems, rows, draws, seed) if draws else {}
    scores = {
        name: {
            score: _score(value, drawn[name][score] if draws else None)
            for score, value in each.items()
        }
        for name, each in values.items()
    }
    differences = {}
    for one, two in combinations(systems, 2) if compare and draws else ():
        first, second = (
            [table for table in systems[name] if table.exchangeable] for name in (one, two)
        )
        p_values = randomised(first, second, rows, draws, seed)
        differences[one, two] = {
            score: difference(
                values[one][score] - values[two][score],
                drawn[one][score] - drawn[two][score],
                p_values.get(score),
            )
            for score in values[one]
            if score in values[two]
        }
    return scores, differences


def _score(value: float, draws: Array | None) -> Score:
    if np.isnan(value):
        return Score(None)
    return Score(value, *(interval(draws) if draws is not None else (None, None)))


def point(tables: Sequence[Table], notes: int) -> dict[str, float]:
    """Return every score on all notes, NaN where it is not defined."""
    ones = np.ones((1, notes))
    return {
        name: float(values[0])
        for table in tables
        for name, values in table.values(table.sums(ones)).items()
    }


def bootstrap(
    systems: Mapping[str, Sequence[Table]], notes: int, draws: int, seed: int
) -> dict[str, dict[str, Array]]:
    """Draw notes with replacement, the same ones for every system, and return the scores of each draw.

    Args:
        systems: By name, the tables of each.
        notes: How many notes there are.
        draws: How often to draw.
        seed: Decides the draws.

    Returns:
        By system and score, an array of `draws` values.
    """
    found: dict[str, dict[str, list[Array]]] = {name: {} for name in systems}
    for weights in _bootstrap_weights(notes, draws, seed):
        for name, tables in systems.items():
            for table in tables:
                for score, values in table.values(table.sums(weights)).items():
                    found[name].setdefault(score, []).append(values)
    return {
        name: {score: np.concatenate(parts) for score, parts in scores.items()}
        for name, scores in found.items()
    }


def _bootstrap_weights(notes: int, draws: int, seed: int) -> Iterator[Array]:
    random = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        drawn = random.integers(0, notes, (size, notes))
        yield np.stack([np.bincount(row, minlength=notes) for row in drawn]).astype(float)


def interval(values: Array) -> tuple[float | None, float | None]:
    """Return the 2.5th and 97.5th percentile of the draws in which a score is defined."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def randomised(
    one: Sequence[Table], two: Sequence[Table], notes: int, draws: int, seed: int
) -> dict[str, float]:
    """Return the p-value of each difference by approximate randomisation.

    Both have tables of sums over notes alone.
    """
    random = np.random.default_rng(seed)
    everywhere = np.ones((1, notes))
    observed: dict[str, float] = {}
    larger: dict[str, int] = {}
    sums = [
        (table.sums(everywhere), other.sums(everywhere))
        for table, other in zip(one, two, strict=True)
    ]
    for table, (a, b) in zip(one, sums, strict=True):
        mine, theirs = table.values(a), table.values(b)
        observed |= {name: abs(float(mine[name][0] - theirs[name][0])) for name in mine}
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        kept = (random.random((size, notes)) < 0.5).astype(float)
        for table, other, (a, b) in zip(one, two, sums, strict=True):
            mixed = table.sums(kept) + other.sums(1 - kept)
            swapped = table.values(a + b - mixed)
            for name, values in table.values(mixed).items():
                differences = np.abs(values - swapped[name])
                # Rounding must not make two equal differences unequal.
                count = int((differences >= observed[name] - 1e-12).sum())
                larger[name] = larger.get(name, 0) + count
    return {name: (count + 1) / (draws + 1) for name, count in larger.items()}


def difference(value: float, draws: Array, p_randomisation: float | None) -> Difference:
    """Judge a difference by its bootstrap draws."""
    known = draws[np.isfinite(draws)]
    low, high = interval(draws)
    p = None
    if len(known):
        rarer = min(int((known <= 0).sum()), int((known >= 0).sum()))
        p = min(1.0, 2 * (rarer + 1) / (len(known) + 1))
    return Difference(None if np.isnan(value) else value, low, high, p, p_randomisation)
