from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.baselines.thresholds import best_threshold, mean_average_precision

ITEMS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=30,
)


def f_score(
    scores: np.ndarray, gold: np.ndarray, threshold: float, missing: int, beta: float
) -> float:
    selected = scores >= threshold
    right, total = int((selected & gold).sum()), int(gold.sum()) + missing
    if not right:
        return 0.0
    precision, recall = right / selected.sum(), right / total
    return float((1 + beta**2) * precision * recall / (beta**2 * precision + recall))


@given(ITEMS, st.integers(0, 3), st.sampled_from([1.0, 2.0]))
def test_no_other_threshold_is_better(
    items: list[tuple[float, bool]], missing: int, beta: float
) -> None:
    scores = np.array([score for score, _ in items])
    gold = np.array([correct for _, correct in items])
    threshold, value = best_threshold(scores, gold, missing, beta)
    assert value == pytest.approx(f_score(scores, gold, threshold, missing, beta))
    for other in scores:
        assert f_score(scores, gold, float(other), missing, beta) <= value + 1e-12


def test_a_threshold_lies_between_two_scores() -> None:
    scores, gold = np.array([[0.9, 0.2], [0.6, 0.1]]), np.array([[True, False], [True, False]])
    assert best_threshold(scores, gold) == (pytest.approx(0.4), 1.0)


def test_without_a_correct_item_nothing_is_selected() -> None:
    scores, gold = np.array([0.9, 0.2]), np.array([False, False])
    for missing in (0, 1):
        threshold, value = best_threshold(scores, gold, missing)
        assert threshold > 0.9
        assert value == 0.0
    assert best_threshold(scores[:0], gold[:0]) == (1.0, 0.0)


def test_a_threshold_lies_above_the_scores_below_all_correct_ones() -> None:
    scores, gold = np.array([0.9, 0.5, 0.3], np.float32), np.array([True, True, False])
    assert best_threshold(scores, gold) == (pytest.approx(0.4), 1.0)


def test_average_precision_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.5, 0.4, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4]])
    gold = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]], dtype=bool)
    assert mean_average_precision(scores, gold) == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
