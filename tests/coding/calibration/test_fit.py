from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cclearn.coding.calibration.features import Signals
from cclearn.coding.calibration.fit import (
    FOLDS,
    Array,
    Flags,
    find_thresholds,
    fit_curve,
    folds_of,
    out_of_fold,
    refuse_unfit,
    wilson_bound,
)
from cclearn.coding.calibration.model import Method
from cclearn.errors import ConfigurationError
from cclearn.evaluation.metrics.reliability import bin_scores, expected_calibration_error


def drawn(count: int, seed: int, scored: bool = True) -> tuple[list[Signals], Flags]:
    """Draw codes whose scores boast: what has the log-odds x is right with the log-odds x / 3 − 1."""
    random = np.random.default_rng(seed)
    log_odds = random.normal(1, 3, count)
    signals = [
        Signals(
            probability=1 / (1 + math.exp(-x)) if scored else None,
            evidence=int(random.integers(1, 4)),
            agreement=1.0,
            words=int(random.integers(1, 6)),
            characters=int(random.integers(3, 30)),
        )
        for x in log_odds
    ]
    return signals, random.random(count) < 1 / (1 + np.exp(1 - log_odds / 3))


def test_platt_agrees_with_scikit_learn() -> None:
    signals, right = drawn(300, 0)
    held_out, _ = drawn(50, 1)
    names = sorted(signals[0].features())
    matrix, other = (
        [[signal.features()[name] for name in names] for signal in group]
        for group in (signals, held_out)
    )
    theirs = make_pipeline(StandardScaler(), LogisticRegression()).fit(matrix, right)
    ours = fit_curve("platt", signals, right).scores(held_out)
    assert ours == pytest.approx(theirs.predict_proba(other)[:, 1].tolist(), rel=1e-9)
    # Nothing can be learnt from what is the same everywhere.
    curve = fit_curve("platt", signals, right)
    assert curve.model_dump()["coefficients"]["agreement"] == 0.0


def test_isotonic_agrees_with_scikit_learn() -> None:
    signals, right = drawn(300, 0)
    held_out, _ = drawn(200, 1)
    raw, other = ([signal.probability for signal in group] for group in (signals, held_out))
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(raw, right)
    ours = fit_curve("isotonic", signals, right).scores(held_out)
    assert ours == pytest.approx(theirs.predict(other).tolist(), rel=1e-9)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_overconfident_scores_are_corrected_on_other_codes(method: Method) -> None:
    signals, right = drawn(2_000, 0)
    held_out, truth = drawn(2_000, 1)
    before = expected_calibration_error(
        bin_scores([signal.probability for signal in held_out], truth)
    )
    after = expected_calibration_error(
        bin_scores(fit_curve(method, signals, right).scores(held_out), truth)
    )
    assert before is not None
    assert after is not None
    assert before > 0.15
    assert after < 0.05


def test_the_curve_is_finite_for_separable_scores() -> None:
    signals = [Signals(p, 1, 1.0, 1, 5) for p in (0.0, 0.1, 0.9, 1.0) * 20]
    right = np.array([False, False, True, True] * 20)
    scores = fit_curve("platt", signals, right).scores(signals[:4])
    assert [score is not None and 0 < score < 1 for score in scores] == [True] * 4
    assert scores == sorted(scores, key=lambda score: score or 0.0)


def test_without_scores_the_other_signals_decide() -> None:
    signals, right = drawn(300, 0, scored=False)
    curve = fit_curve("platt", signals, right).model_dump()
    assert set(curve["coefficients"]) == set(signals[0].features())
    assert "log_odds" not in curve["coefficients"]


def test_codes_are_scored_by_curves_that_do_not_know_their_notes() -> None:
    signals, right = drawn(100, 0)
    folds = np.arange(100) % FOLDS
    scores = out_of_fold("platt", signals, right, folds)
    inside = folds == 2
    training = [
        signal for signal, is_held_out in zip(signals, inside, strict=True) if not is_held_out
    ]
    held_out = [signal for signal, is_held_out in zip(signals, inside, strict=True) if is_held_out]
    assert scores[inside].tolist() == fit_curve("platt", training, right[~inside]).scores(held_out)


def test_the_fold_of_a_note_depends_only_on_its_id() -> None:
    ids = [f"note-{number}" for number in range(23)]
    folds = dict(zip(ids, folds_of(ids).tolist(), strict=True))
    assert sorted(np.bincount(list(folds.values())).tolist()) == [4, 4, 5, 5, 5]
    again = random.Random(0).sample(ids, len(ids))
    assert dict(zip(again, folds_of(again).tolist(), strict=True)) == folds
    assert folds_of([]).tolist() == []


def test_problems_of_the_data_are_reported_together() -> None:
    signals, right = drawn(60, 0)
    folds = np.arange(60) % FOLDS
    refuse_unfit("platt", signals, right, folds)
    with pytest.raises(ConfigurationError, match="fewer than 50"):
        refuse_unfit("platt", signals[:49], right[:49], folds[:49])
    with pytest.raises(ConfigurationError, match="correct codes = 0 of 60"):
        refuse_unfit("platt", signals, np.zeros(60, bool), folds)
    with pytest.raises(ConfigurationError, match="wrong codes = 0 of 60"):
        refuse_unfit("platt", signals, np.ones(60, bool), folds)
    # All correct codes are in the notes of one fold.
    with pytest.raises(ConfigurationError, match="correct codes = 12 of 60"):
        refuse_unfit("platt", signals, folds == 3, folds)
    odd = [Signals(math.nan, 1, 1.0, 1, 1), Signals(None, 1, 1.0, 1, 1), *signals[2:]]
    with pytest.raises(ConfigurationError) as error:
        refuse_unfit("isotonic", odd, right, folds)
    assert len(error.value.problems) == 2
    assert "not finite" in error.value.problems[0]
    assert "1 of 60 codes have no score" in error.value.problems[1]


def test_the_wilson_bound_agrees_with_scipy() -> None:
    # All of 10 right: 10 / (10 + 1.645²).
    assert wilson_bound(10, 10) == pytest.approx(10 / (10 + 2.7055), rel=1e-4)
    for hits, count in ((0, 7), (3, 7), (90, 100), (1, 1)):
        theirs = binomtest(hits, count).proportion_ci(0.90, method="wilson").low
        assert wilson_bound(hits, count) == pytest.approx(theirs, abs=1e-12)


def by_hand(
    scores: Array, right: Flags, precision: float, rejected_right: float
) -> tuple[float | None, float | None]:
    """Try every score."""
    levels = sorted(set(scores.tolist()))
    reject = accept = None
    for level in levels:
        wrong = ~right[scores <= level]
        if wilson_bound(wrong.sum(), len(wrong)) >= 1 - rejected_right:
            reject = level
    for level in levels[::-1]:
        if level < precision or (reject is not None and level <= reject):
            break
        chosen = right[scores >= level]
        if wilson_bound(chosen.sum(), len(chosen)) >= precision:
            accept = level
    return accept, reject


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=80),
    st.sampled_from([0.3, 0.5, 0.8]),
    st.sampled_from([0.05, 0.25]),
)
def test_thresholds_accept_and_reject_as_many_codes_as_allowed(
    codes: list[tuple[int, bool]], precision: float, rejected_right: float
) -> None:
    scores = np.array([number / 12 for number, _ in codes])
    right = np.array([flag for _, flag in codes], bool)
    found = find_thresholds(scores, right, precision, rejected_right, 0)
    assert (found.accept, found.reject) == by_hand(scores, right, precision, rejected_right)


def test_thresholds_by_hand() -> None:
    scores = np.repeat([0.9, 0.5, 0.1], 30)
    right = np.array([True] * 30 + [True] * 15 + [False] * 45)
    found = find_thresholds(scores, right, 0.9, 0.1, 0)
    # 30 of 30: Wilson's bound is 30 / 32.7 = 0.917.
    assert (found.accept, found.reject) == (0.9, 0.1)
    few = find_thresholds(scores[::3], right[::3], 0.9, 0.1, 0)
    # 10 of 10: 10 / 12.7 = 0.787.
    assert (few.accept, few.reject) == (None, None)
    # 45 of 60 in the upper two: bound 0.648, which is more than 0.45. A score of 0.5 is less than 0.64.
    assert find_thresholds(scores, right, 0.45, 0.1, 0).accept == 0.5
    assert find_thresholds(scores, right, 0.64, 0.1, 0).accept == 0.9


def f1_by_hand(scores: Array, right: Flags, gold: int, reject: float | None) -> float:
    kept = scores > (-1 if reject is None else reject)
    return 2 * float(right[kept].sum()) / (int(kept.sum()) + gold)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 50),
)
def test_the_codes_are_rejected_without_which_f1_is_highest(
    codes: list[tuple[int, bool]], missed: int
) -> None:
    scores = np.array([number / 12 for number, _ in codes])
    right = np.array([flag for _, flag in codes], bool)
    gold = int(right.sum()) + missed
    found = find_thresholds(scores, right, 0.9, None, gold)
    assert found.rejected_right is None
    reached = f1_by_hand(scores, right, gold, found.reject)
    levels = [None, *sorted(set(scores.tolist()))]
    assert reached == max(f1_by_hand(scores, right, gold, level) for level in levels)


def test_the_threshold_of_the_best_f1_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.4, 0.2])
    right = np.array([True, True, False, True])
    # With 4 gold codes, one to four assigned codes have an F1 of 2/5, 4/6, 4/7 and 6/8.
    assert find_thresholds(scores, right, 0.95, None, 4).reject is None
    assert find_thresholds(scores, right & (scores > 0.3), 0.95, None, 4).reject == 0.4
    assert find_thresholds(scores[:0], right[:0], 0.95, None, 4).reject is None


def test_a_signal_that_a_code_does_not_have_is_0() -> None:
    signals, right = drawn(200, 1)
    some = [
        replace(signal, further={"known": float(flag)} if number % 2 else {})
        for number, (signal, flag) in enumerate(zip(signals, right, strict=True))
    ]
    filled = [
        replace(signal, further={"known": signal.further.get("known", 0.0)}) for signal in some
    ]
    curve = fit_curve("platt", some, right)
    assert curve == fit_curve("platt", filled, right)
    assert curve.scores(some) == curve.scores(filled)
    assert curve.model_dump()["coefficients"]["known"] > 0
