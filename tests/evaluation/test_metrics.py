from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from cclearn.errors import CclearnError
from cclearn.evaluation import evaluate
from cclearn.evaluation.metrics import Counts, count, count_by_label, macro_f1
from cclearn.notes import AssignedCode, CodedNote, Evidence, Invalid, Ungrounded

TEXT = "abcdefghij"
labels = st.sets(st.sampled_from(["A", "B", "C", "D", "E"]))
documents = st.lists(st.tuples(labels, labels), min_size=1, max_size=8)


def note(identifier: str, codes: dict[str, list[tuple[int, int]]], **fields: object) -> CodedNote:
    assigned = [
        AssignedCode(
            code=code, evidence=[Evidence(start=s, end=e, text=TEXT[s:e]) for s, e in spans]
        )
        for code, spans in codes.items()
    ]
    return CodedNote(id=identifier, text=TEXT, codes=assigned, **fields)  # type: ignore[arg-type]


@given(documents)
def test_micro_and_macro_agree_with_scikit_learn(pairs: list[tuple[set[str], set[str]]]) -> None:
    gold = [note(str(i), {code: [] for code in g}) for i, (g, _) in enumerate(pairs)]
    predicted = [note(str(i), {code: [] for code in p}) for i, (_, p) in enumerate(pairs)]
    ours = evaluate(gold, predicted)
    binarizer = MultiLabelBinarizer(classes=["A", "B", "C", "D", "E"])
    truth = binarizer.fit_transform([g for g, _ in pairs])
    guess = binarizer.transform([p for _, p in pairs])
    theirs = precision_recall_fscore_support(truth, guess, average="micro", zero_division=0)
    assert (ours.micro_precision, ours.micro_recall, ours.micro_f1) == pytest.approx(theirs[:3])
    by_label = precision_recall_fscore_support(truth, guess, average=None, zero_division=0)[2]
    present = [f for f, column in zip(by_label, truth.T, strict=True) if column.any()]
    expected = sum(present) / len(present) if present else 0.0
    assert ours.macro_f1 == pytest.approx(expected, abs=1e-9)


def test_a_fixture_counted_by_hand() -> None:
    gold = [
        note("1", {"A": [(0, 2)], "B": [(2, 4), (5, 6)]}),
        note("2", {"A": [(1, 3)]}),
        note("3", {}),
        note("4", {"C": []}),
    ]
    predicted = [
        note("3", {"A": [(0, 1)]}, invalid=[Invalid(code="Z", status="unknown")]),
        note("1", {"A": [(0, 2)], "C": [(2, 4)]}, ungrounded=[Ungrounded(code="A", quote="q")]),
        note("2", {"A": [(1, 2)]}, flags=["truncated"]),
    ]
    scores = evaluate(gold, predicted, focus=frozenset({"B", "C"}))
    # Codes: TP A1 A2 = 2; FP C1 A3 = 2; FN B1 C4 = 2.
    assert (scores.gold_codes, scores.predicted_codes) == (4, 4)
    assert (scores.micro_precision, scores.micro_recall, scores.micro_f1) == (0.5, 0.5, 0.5)
    # A: TP 2, FP 1 → 0.8; B: 0; C: FP 1, FN 1 → 0.
    assert scores.macro_f1 == pytest.approx(0.8 / 3)
    # Spans: TP 1; predicted 4; gold 4.
    assert (scores.evidence_precision, scores.evidence_recall) == (0.25, 0.25)
    # Answered: 4 spans, 1 invalid, 1 ungrounded.
    assert scores.invalid_rate == scores.ungrounded_rate == pytest.approx(1 / 6)
    assert (scores.notes, scores.missing, scores.flagged) == (4, 1, 1)
    assert (scores.focus_recall, scores.focus_gold) == (0.0, 2)


def test_nothing_to_find_and_nothing_found() -> None:
    scores = evaluate([note("1", {})], [note("1", {})])
    assert scores.micro_f1 == scores.macro_f1 == scores.evidence_f1 == 0.0
    assert scores.focus_recall is None
    assert evaluate([], []).notes == 0


@given(labels, labels)
def test_counts(gold: set[str], predicted: set[str]) -> None:
    counts = count(gold, predicted)
    assert counts.true_positives + counts.false_negatives == len(gold)
    assert counts.true_positives + counts.false_positives == len(predicted)
    assert (counts.f1 == 1.0) == (gold == predicted and bool(gold))
    if counts.precision + counts.recall:
        harmonic = 2 * counts.precision * counts.recall / (counts.precision + counts.recall)
        assert counts.f1 == pytest.approx(harmonic)


def test_macro_f1_is_over_the_labels_of_the_gold() -> None:
    by_label = count_by_label([({"A"}, {"A", "X"})])
    assert by_label == {"A": Counts(1, 0, 0), "X": Counts(0, 1, 0)}
    assert macro_f1(by_label) == 1.0


def test_predictions_for_other_notes_are_refused() -> None:
    with pytest.raises(CclearnError, match=r"ids = 2\)"):
        evaluate([note("1", {})], [note("2", {})])
    other = CodedNote(id="1", text="another text")
    with pytest.raises(CclearnError, match="the text differs"):
        evaluate([note("1", {})], [other])
