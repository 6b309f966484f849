"""Bootstrap intervals of scores, and comparisons of systems, by resampling notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cclearn.evaluation.metrics.score_tables import Array, ScoreTable

_BLOCK = 32
"""Number of draws that are computed together."""

_PERCENTILES = (0.025, 0.975)

_CHANCE = 4.0
"""Number of standard errors of the estimated bias up to which it is taken for chance."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score of a system.

    Attributes:
        value: Score on all notes; None if it is not defined.
        low: Lower end of the 95 % interval (`interval`); None without a bootstrap.
        high: Upper end of the 95 % interval; None without a bootstrap.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """The score of one system minus that of another, on the same notes.

    Attributes:
        value: Difference on all notes; None if it is not defined.
        low: Lower end of the 95 % interval of the paired bootstrap (`interval`).
        high: Upper end of the 95 % interval of the paired bootstrap.
        p_bootstrap: Twice the smaller share of draws on one side of 0, at most 1. One is added to the
            numerator and to the denominator.
        p_randomisation: Share of random exchanges of the systems' predictions, note by note, whose
            absolute difference is at least as large (Noreen 1989). One is added to the numerator and to
            the denominator. None for scores by rank, which are not sums over notes.
    """

    value: float | None
    low: float | None
    high: float | None
    p_bootstrap: float | None
    p_randomisation: float | None


def score_systems(
    systems: Mapping[str, Sequence[ScoreTable]], rows: int, draws: int, seed: int, compare: bool
) -> tuple[dict[str, dict[str, Score]], dict[tuple[str, str], dict[str, Difference]]]:
    """Return the scores of systems with their intervals, and the differences of each pair of systems.

    Args:
        systems: Tables of each system, by its name. All systems have the same tables.
        rows: Number of notes or spans.
        draws: Number of draws of the bootstrap and of the randomisation; 0 computes no intervals and no
            differences.
        seed: Seed of the draws.
        compare: Whether pairs of systems are compared.
    """
    values = {name: point_estimates(tables, rows) for name, tables in systems.items()}
    drawn = bootstrap(systems, rows, draws, seed) if draws else {}
    scores = {
        name: {
            score: _score(value, drawn[name][score] if draws else None)
            for score, value in by_score.items()
        }
        for name, by_score in values.items()
    }
    differences = {}
    for one, two in combinations(systems, 2) if compare and draws else ():
        first, second = (
            [table for table in systems[name] if table.exchangeable] for name in (one, two)
        )
        p_values = randomisation_p_values(first, second, rows, draws, seed)
        differences[one, two] = {
            score: summarise_difference(
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
    return Score(value, *(interval(value, draws) if draws is not None else (None, None)))


def point_estimates(tables: Sequence[ScoreTable], notes: int) -> dict[str, float]:
    """Return every score on all notes, NaN if it is not defined."""
    ones = np.ones((1, notes))
    return {
        name: float(values[0])
        for table in tables
        for name, values in table.values(table.sums(ones)).items()
    }


def bootstrap(
    systems: Mapping[str, Sequence[ScoreTable]], notes: int, draws: int, seed: int
) -> dict[str, dict[str, Array]]:
    """Draw notes with replacement, the same notes for every system, and return the scores of each draw.

    Args:
        systems: Tables of each system, by its name.
        notes: Number of notes.
        draws: Number of draws.
        seed: Seed of the draws.

    Returns:
        Array of `draws` values, by system and score.
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
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        drawn = rng.integers(0, notes, (size, notes))
        yield np.stack([np.bincount(row, minlength=notes) for row in drawn]).astype(float)


def interval(value: float, draws: Array) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a score: percentiles of its draws, corrected for their bias.

    The bootstrap estimates the bias of a score as the mean of its draws minus the score on all notes
    (Efron & Tibshirani 1993, section 10.2). If it is more than four of its standard errors, it is
    subtracted from both percentiles. Without this, the interval of a mean over codes need not contain
    the mean, because a draw has fewer codes. The ends do not leave the range of the score, 0 to 1, or −1
    to 1 for a difference, and the interval contains the score.

    Args:
        value: Score on all notes, or NaN.
        draws: Score of each draw. Draws in which it is not finite are left out.
    """
    known = draws[np.isfinite(draws)]
    if not len(known) or np.isnan(value):
        return None, None
    bias = known.mean() - value
    is_chance = abs(bias) <= _CHANCE * known.std() / np.sqrt(len(known))
    low, high = np.quantile(known, _PERCENTILES) - (0.0 if is_chance else bias)
    smallest, largest = min(known.min(), value), max(known.max(), value)
    if smallest >= -1 and largest <= 1:
        low, high = np.clip((low, high), 0.0 if smallest >= 0 else -1.0, 1.0)
    return float(min(low, value)), float(max(high, value))


def randomisation_p_values(
    one: Sequence[ScoreTable], two: Sequence[ScoreTable], notes: int, draws: int, seed: int
) -> dict[str, float]:
    """Return the p-value of each difference that is defined, by approximate randomisation.

    All tables must be exchangeable. An exchange whose difference is not defined counts as larger.
    """
    rng = np.random.default_rng(seed)
    ones = np.ones((1, notes))
    observed: dict[str, float] = {}
    larger: dict[str, int] = {}
    sums = [(table.sums(ones), other.sums(ones)) for table, other in zip(one, two, strict=True)]
    for table, (a, b) in zip(one, sums, strict=True):
        first, second = table.values(a), table.values(b)
        observed |= {name: abs(float(first[name][0] - second[name][0])) for name in first}
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        kept = (rng.random((size, notes)) < 0.5).astype(float)
        for table, other, (a, b) in zip(one, two, sums, strict=True):
            mixed = table.sums(kept) + other.sums(1 - kept)
            swapped = table.values(a + b - mixed)
            for name, values in table.values(mixed).items():
                differences = np.abs(values - swapped[name])
                # Rounding must not make two equal differences unequal.
                count = int((~(differences < observed[name] - 1e-12)).sum())
                larger[name] = larger.get(name, 0) + count
    return {
        name: (count + 1) / (draws + 1)
        for name, count in larger.items()
        if np.isfinite(observed[name])
    }


def summarise_difference(value: float, draws: Array, p_randomisation: float | None) -> Difference:
    """Return a difference with its interval and its p-value by the bootstrap.

    The interval contains 0 if 0 lies between the percentiles of the draws. If few notes differ, most
    draws have no difference, and the correction for the bias would otherwise move the interval from 0.
    """
    known = draws[np.isfinite(draws)]
    low, high = interval(value, draws)
    p = None
    if len(known) and low is not None and high is not None:
        first, last = np.quantile(known, _PERCENTILES)
        if first <= 0 <= last:
            low, high = min(low, 0.0), max(high, 0.0)
        rarer = min(int((known <= 0).sum()), int((known >= 0).sum()))
        p = min(1.0, 2 * (rarer + 1) / (len(known) + 1))
    return Difference(None if np.isnan(value) else value, low, high, p, p_randomisation)
