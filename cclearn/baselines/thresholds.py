"""Thresholds of scores that are best on development notes, and the ranking of the scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def best_threshold(
    scores: NDArray[np.floating[Any]], gold: NDArray[np.bool_], missing: int = 0, beta: float = 1.0
) -> tuple[float, float]:
    """Return the threshold with the best micro-averaged F score, and the score.

    Items are selected if their score is at least the threshold. It lies half-way between two scores, so
    that rounding errors do not change the selection. Of equally good thresholds, the highest is taken.

    Args:
        scores: Scores of all items, of any shape.
        gold: Whether each item is correct, of the same shape.
        missing: Number of correct items that have no score.
        beta: Weight of the recall: F = (1 + β²)·P·R / (β²·P + R).

    Returns:
        The threshold and its F score. If no item is correct, the threshold is above all scores.
    """
    flat, correct = scores.ravel(), gold.ravel()
    if not correct.any():
        return (float(np.nextafter(flat.max(), np.inf)) if len(flat) else 1.0), 0.0
    # No threshold below the lowest correct score is better than it. Of all labels of a code system, few
    # have such a score.
    high = flat >= flat[correct].min()
    lower = float(flat[~high].max()) if not high.all() else 0.0
    flat, correct = flat[high].astype(np.float64), correct[high]
    order = np.argsort(-flat, kind="stable")
    ranked, right = flat[order], np.cumsum(correct[order])
    selected = np.arange(1, len(ranked) + 1)
    total = int(right[-1]) + missing
    values = (1 + beta**2) * right / (beta**2 * total + selected)
    # A threshold cannot lie between two equal scores.
    is_last = np.append(ranked[:-1] != ranked[1:], True)
    best = int(np.argmax(np.where(is_last, values, -1.0)))
    below = ranked[best + 1] if best + 1 < len(ranked) else lower
    return float((ranked[best] + below) / 2), float(values[best])


def mean_average_precision(scores: NDArray[np.floating[Any]], gold: NDArray[np.bool_]) -> float:
    """Return the mean over documents of the average precision of their ranked labels.

    Documents without a gold label are left out. Labels with equal scores keep their order.

    Args:
        scores: Scores of shape (documents, labels).
        gold: Whether each label is correct, of the same shape.
    """
    found = []
    for row, correct in zip(scores, gold, strict=True):
        if not correct.any():
            continue
        ranks = np.flatnonzero(correct[np.argsort(-row, kind="stable")]) + 1
        found.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return float(np.mean(found)) if found else 0.0
