from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.evaluation.reward import hierarchical_f1, reward
from cclearn.notes import AssignedCode, CodedNote, Evidence, Invalid, Ungrounded

TEXT = "NSTEMI and AF"


def note(
    *codes: str, ungrounded: int = 0, invalid: int = 0, flags: tuple[str, ...] = ()
) -> CodedNote:
    evidence = [Evidence(start=0, end=6, text="NSTEMI")]
    return CodedNote(
        id="n",
        text=TEXT,
        codes=[AssignedCode(code=code, evidence=evidence) for code in codes],
        ungrounded=[Ungrounded(code="I10", quote="x")] * ungrounded,
        invalid=[Invalid(code="I99.99", status="unknown")] * invalid,
        flags=list(flags),
    )


def test_a_relative_has_part_of_the_credit(system: CodeSystem) -> None:
    # Above I21.4 and I21.9 stand I21 and the block I20-I25, beside their chapter.
    above = system.ancestors("I21.4")[:-1]
    assert above == system.ancestors("I21.9")[:-1]
    shared = len(above)
    expected = 2 * shared / (2 * (shared + 1))
    assert hierarchical_f1(["I21.4"], ["I21.9"], system) == pytest.approx(expected)
    assert hierarchical_f1(["I21.4"], ["I21.4"], system) == 1
    assert hierarchical_f1(["I21.4"], ["E11.9"], system) == 0
    assert hierarchical_f1(["I21.4"], [], system) == hierarchical_f1([], ["I21.4"], system) == 0
    assert hierarchical_f1([], [], system) == 1
    near = hierarchical_f1(["I21.4"], ["I21.9"], system)
    far = hierarchical_f1(["I21.4"], ["I25.10"], system)
    assert 1 > near > far > 0


def test_unusable_lines_lower_the_reward(system: CodeSystem) -> None:
    gold = note("I21.4")
    assert reward(gold, note("I21.4"), system) == 1
    assert reward(gold, note("I21.4", ungrounded=1), system) == pytest.approx(1 - 0.5 / 2)
    assert reward(gold, note("I21.4", invalid=3), system) == pytest.approx(1 - 0.5 * 3 / 4)
    assert reward(gold, note(ungrounded=2), system) == pytest.approx(-0.5)
    assert reward(gold, note("I21.4", ungrounded=1), system, ungrounded=0) == 1
    assert reward(gold, note("I21.4", flags=("truncated",)), system) == 0
    assert reward(gold, note("I21.4", flags=("uncertain: a rule's remark",)), system) == 1
    assert reward(note(), note(), system) == 1


CODES = st.lists(st.sampled_from(["I21.4", "I21.9", "I25.10", "E11.9", "S72.001A"]), unique=True)


@given(gold=CODES, predicted=CODES, made_up=st.integers(0, 3), wrong=st.integers(0, 3))
def test_the_reward_is_bounded_and_best_at_the_gold(
    system: CodeSystem, gold: list[str], predicted: list[str], made_up: int, wrong: int
) -> None:
    value = reward(note(*gold), note(*predicted, ungrounded=made_up, invalid=wrong), system)
    assert -0.5 <= value <= 1
    assert (value == 1) == (sorted(gold) == sorted(predicted) and not made_up and not wrong)
    assert hierarchical_f1(gold, predicted, system) == hierarchical_f1(predicted, gold, system)
