"""The reliability diagram: whether 80 % of the codes with a score of 0.8 are correct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cclearn.evaluation.scored_notes import AlignedNotes

BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The predicted codes whose scores are in an interval of width 0.1.

    Attributes:
        low: Lower bound of the interval: 0, 0.1, … 0.9.
        codes: Number of codes.
        score: Mean score of the codes.
        right: Share of the codes that is correct.
    """

    low: float
    codes: int
    score: float
    right: float


def reliability_bins(aligned: AlignedNotes) -> list[ReliabilityBin]:
    """Return the bins that contain codes; an empty list if predictions have no scores."""
    scored = [
        (score, code in gold.codes)
        for gold, answer in zip(aligned.gold, aligned.predicted, strict=True)
        for code, score in zip(answer.codes, answer.scores or (), strict=False)
    ]
    return bin_scores([score for score, _ in scored], [correct for _, correct in scored])


def bin_scores(scores: npt.ArrayLike, correct: npt.ArrayLike) -> list[ReliabilityBin]:
    """Return the bins that contain codes.

    Args:
        scores: Scores of the codes, between 0 and 1.
        correct: Whether each code is correct.
    """
    values = np.stack([np.asarray(scores, float), np.asarray(correct, float)], axis=1)
    bins = np.minimum((values[:, 0] * BINS).astype(int), BINS - 1)
    return [
        ReliabilityBin(number / BINS, int(inside.sum()), *map(float, values[inside].mean(axis=0)))
        for number in range(BINS)
        if (inside := bins == number).any()
    ]


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Return the expected calibration error (Naeini et al. 2015), or None if there are no codes.

    It is the mean over codes of the difference between mean score and share of correct codes in the bin.
    """
    total = sum(b.codes for b in bins)
    if not total:
        return None
    return sum(b.codes * abs(b.score - b.right) for b in bins) / total
