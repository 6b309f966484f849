from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.coding.calibration.features import Signals, signals_of
from cclearn.coding.findings import Finding, NoteFindings, Span, log_odds
from cclearn.coding.guidelines.aggregate import aggregate
from cclearn.notes import Note

TEXT = "ab cde fgh ij klm no"
PARTS: list[Span] = [(0, 10), (4, 20), (7, 20)]


def read(findings: list[Finding], parts: list[Span] | None = None) -> NoteFindings:
    return NoteFindings(Note(id="n", text=TEXT), findings, [] if parts is None else parts)


def signals(note_findings: NoteFindings, system: CodeSystem) -> dict[str, Signals]:
    coded = aggregate(note_findings, system)
    found = signals_of(coded, note_findings)
    return {a.code: code_signals for a, code_signals in zip(coded.codes, found, strict=True)}


def test_the_signals_of_a_code(system: CodeSystem) -> None:
    note_findings = read(
        [
            # "cde fgh": whole in the first part alone, as it begins before the others.
            Finding("I10", 3, 10, 0.5, part=0),
            # "ij klm": whole in the second and the third, found in the second.
            Finding("I10", 11, 17, 0.9, part=1),
            # "ij": likewise, found in both, twice in one.
            Finding("E11.9", 11, 13, 0.4, part=1),
            Finding("E11.9", 11, 13, 0.4, part=1),
            Finding("E11.9", 11, 13, 0.3, part=2),
            Finding("E11.9", 0, 2, 1.0, "negated", part=0),
            Finding("I21.4", 18, 20, None, "family", part=1),
        ],
        PARTS,
    )
    assert signals(note_findings, system) == {
        "I10": Signals(0.9, evidence=2, agreement=2 / 3, words=2, characters=7),
        "E11.9": Signals(0.4, evidence=1, agreement=1.0, words=1, characters=2),
    }


def test_the_agreement_of_a_note_in_one_part_is_1(system: CodeSystem) -> None:
    found = [Finding("I10", 0, 2)]
    for parts in ([], [(0, 20)]):
        assert signals(read(found, parts), system)["I10"].agreement == 1.0


def test_a_code_that_a_rule_has_changed_keeps_its_agreement(system: CodeSystem) -> None:
    note_findings = read([Finding("I10", 11, 13, 0.5, part=1)], PARTS)
    coded = aggregate(note_findings, system)
    (assigned,) = coded.codes
    changed = coded.model_copy(update={"codes": [assigned.model_copy(update={"code": "I11.9"})]})
    assert signals_of(changed, note_findings) == signals_of(coded, note_findings)
    assert signals_of(coded, note_findings)[0].agreement == 0.5


findings = st.builds(
    Finding,
    code=st.sampled_from(["I21.4", "I10", "E11.9"]),
    start=st.integers(0, 9),
    end=st.integers(10, 20),
    score=st.none() | st.floats(0, 1),
    assertion=st.sampled_from(["present", "negated", "historical"]),
    part=st.integers(0, 2),
)


@given(st.lists(findings, max_size=12), st.randoms())
def test_order_and_repetition_do_not_matter(found: list[Finding], order: random.Random) -> None:
    system = CodeSystem.load()
    once = signals(read(found, PARTS), system)
    again = [*found, *order.sample(found, len(found) // 2)]
    order.shuffle(again)
    assert signals(read(again, PARTS), system) == once
    for code_signals in once.values():
        assert 0 <= code_signals.agreement <= 1
        assert code_signals.evidence >= 1
        assert all(map(math.isfinite, code_signals.features().values()))


def test_log_odds_are_finite() -> None:
    assert log_odds(0.5) == 0
    assert log_odds(0.75) == pytest.approx(math.log(3))
    assert log_odds(1.0) == pytest.approx(math.log(999_999))
    assert log_odds(0.0) == pytest.approx(-math.log(999_999))
    assert math.isnan(log_odds(math.nan))
    assert "log_odds" not in Signals(None, 1, 1.0, 1, 1).features()


def test_the_largest_value_of_each_signal_counts(system: CodeSystem) -> None:
    found = [
        Finding("I10", 3, 10, 0.5, signals={"quote_log_odds": 1.0, "recogniser_1": 1.0}),
        Finding("I10", 11, 17, 0.9, signals={"quote_log_odds": -2.0}),
        Finding("I10", 0, 2, 0.9, "negated", signals={"quote_log_odds": 5.0}),
    ]
    code_signals = signals(read(found), system)["I10"]
    assert code_signals.further == {"quote_log_odds": 1.0, "recogniser_1": 1.0}
    assert code_signals.features()["quote_log_odds"] == 1.0
