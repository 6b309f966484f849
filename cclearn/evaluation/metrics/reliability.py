"""Whether scores mean what they say: of codes with score 0.8, are 80 % right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cclearn.evaluation.scored_notes import Aligned

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The predicted codes whose scores lie in a tenth.

    Attributes:
        low: Where it begins, 0, 0.1, … 0.9.
        codes: How many.
        score: Their mean score.
        right: The share of them that is right.
    """

    low: float
    codes: int
    score: float
    right: float


def calibration(aligned: Aligned) -> list[Bin]:
    """Return the bins that hold codes; none where predictions have no scores."""
    scored = [
        (score, code in gold.codes)
        for gold, answer in zip(aligned.gold, aligned.predicted, strict=True)
        for code, score in zip(answer.codes, answer.scores or (), strict=False)
    ]
    return bins_of([score for score, _ in scored], [right for _, right in scored])


def bins_of(scores: npt.ArrayLike, right: npt.ArrayLike) -> list[Bin]:
    """Return the bins that hold codes.

    Args:
        scores: Between 0 and 1, of shape (codes,).
        right: Whether each code is right.
    """
    values = np.stack([np.asarray(scores, float), np.asarray(right, float)], axis=1)
    places = np.minimum((values[:, 0] * BINS).astype(int), BINS - 1)
    return [
        Bin(number / BINS, int(inside.sum()), *map(float, values[inside].mean(axis=0)))
        for number in range(BINS)
        if (inside := places == number).any()
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """Return the mean of |score − right| over codes, by bins (Naeini et al. 2015); None without any."""
    total = sum(each.codes for each in bins)
    if not total:
        return None
    return sum(each.codes * abs(each.score - each.right) for each in bins) / total
