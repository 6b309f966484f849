from __future__ import annotations

import pytest

from benchmarks.claim.data import Split
from benchmarks.claim.scoring import code_groups, score
from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence


def note(identifier: str, *codes: str) -> CodedNote:
    evidence = [Evidence(start=0, end=3, text="tos")]
    assigned = [AssignedCode(code=code, evidence=evidence) for code in codes]
    return CodedNote(id=identifier, text="tos", codes=assigned)


SPLIT = Split(
    documents=(note("a", "R05.9", "I10"),),
    others=(note("b", "J18.9", "E11.9", "I10", "I50"),),
    # I50 is a header: no span has it, and it cannot be predicted.
    evaluation=(note("c", "I10", "J18.9", "I50"), note("d", "E11.9", "R51.9", "J18.9")),
    held_out=frozenset({"E11.9"}),
)


def test_groups_have_billable_codes_of_the_evaluation(system: CodeSystem) -> None:
    assert code_groups(SPLIT, system) == {
        "span_only": {"J18.9", "E11.9"},
        "absent": {"R51.9"},
        "held_out": {"E11.9"},
    }


def test_recall_of_groups_by_hand(system: CodeSystem) -> None:
    predicted = [note("c", "J18.9", "I10"), note("d", "E11.9", "I10")]
    scores = score(SPLIT, predicted, system, 0)
    values = {name: scores[f"{name}/micro_recall"]["value"] for name in code_groups(SPLIT, system)}
    # Three mentions of codes of spans only, of which two are found.
    assert values == {"span_only": pytest.approx(2 / 3), "absent": 0.0, "held_out": 1.0}
    assert scores["micro_precision"]["value"] == pytest.approx(3 / 4)
    assert scores["micro_recall"]["value"] == pytest.approx(3 / 6)
    # Five codes of the gold: F1 of I10 is 2/3, of J18.9 2/3, of E11.9 1, and of the others 0.
    assert scores["macro_f1"]["value"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 5)
