from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.bootstrap import interval, summarise_difference
from cclearn.notes import AssignedCode, CodedNote


def test_the_bias_of_the_draws_is_subtracted() -> None:
    draws = np.linspace(0.4, 0.6, 101)  # Mean 0.5, percentiles 0.405 and 0.595.
    assert interval(0.45, draws) == pytest.approx((0.355, 0.545))
    assert interval(0.5, draws) == pytest.approx((0.405, 0.595))


def test_the_ends_stay_in_the_range_of_the_score() -> None:
    assert interval(1.0, np.array([0.9, 1.0, 1.0, 1.0]))[1] == 1.0
    assert interval(0.0, np.array([0.1, 0.0, 0.0, 0.0]))[0] == 0.0
    low, high = interval(-0.99, np.array([-1.0, -0.9, -0.95]))
    assert low is not None
    assert -1.0 <= low <= -0.99 <= (high or 0)
    # A number per note has no upper limit.
    assert interval(3.0, np.array([2.0, 4.0, 3.5])) == pytest.approx((2.075, 3.975), abs=1e-3)


def test_chance_is_not_subtracted() -> None:
    draws = np.linspace(0.4, 0.6, 101)
    assert interval(0.51, draws) == pytest.approx((0.405, 0.595))
    # The interval contains the score, wherever the draws are.
    assert interval(0.9, np.array([0.1, 0.5, 0.9])) == pytest.approx((0.12, 0.9))


def test_a_difference_that_most_draws_do_not_have_is_not_certain() -> None:
    draws = np.zeros(1000)
    draws[:600] = np.linspace(0.001, 0.05, 600)
    found = summarise_difference(0.02, draws, 0.9)
    assert found.low == 0.0
    assert found.p_bootstrap is not None
    assert found.p_bootstrap > 0.05


def test_differences_that_are_not_defined_have_no_p_value(system: CodeSystem) -> None:
    gold = [CodedNote(id=str(n), text="x", codes=[AssignedCode(code="E11.9")]) for n in range(9)]
    empty = [note.model_copy(update={"codes": []}) for note in gold]
    settings = Settings(draws=50)
    compared = evaluate(gold, {"a": gold, "b": empty}, system, settings, compare=True)
    (found,) = compared.differences.values()
    undefined = [name for name, one in found.items() if one.value is None]
    assert "chapter/4/micro_precision" in undefined
    assert all(found[name].p_randomisation is None for name in undefined)
    assert found["micro_recall"].p_randomisation == pytest.approx(1 / 51, abs=0.05)


def test_a_score_that_is_not_defined_has_no_interval() -> None:
    assert interval(0.5, np.array([np.nan, np.inf])) == (None, None)
    assert interval(np.nan, np.array([0.5])) == (None, None)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_percentiles_are_moved_by_the_estimated_bias(values: list[float]) -> None:
    draws = np.array(values)
    low, high = interval(float(draws.mean()), draws)
    assert (low, high) == pytest.approx(tuple(np.percentile(draws, (2.5, 97.5))))


def test_the_interval_of_a_mean_over_codes_contains_the_mean(system: CodeSystem) -> None:
    # Each code occurs in one note, so that every draw lacks many codes.
    codes = system.billable_codes()[:60]
    gold = [CodedNote(id=c, text="x", codes=[AssignedCode(code=c)]) for c in codes]
    found = [n if i % 3 else n.model_copy(update={"codes": []}) for i, n in enumerate(gold)]
    scores = evaluate(gold, {"a": found}, system, Settings(draws=200)).evaluations["a"].scores
    for name in ("macro_f1", "macro_any_f1", "micro_f1"):
        score = scores[name]
        assert score.value is not None
        assert score.low is not None
        assert score.high is not None
        assert score.low < score.value < score.high
