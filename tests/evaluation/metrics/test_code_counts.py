from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.metrics.code_counts import CodeCount
from cclearn.evaluation.report.content import Report
from cclearn.evaluation.report.pages import codes_csv
from cclearn.notes import AssignedCode, CodedNote


def note(name: str, *codes: str) -> CodedNote:
    return CodedNote(id=name, text="x", codes=[AssignedCode(code=code) for code in codes])


def test_codes_are_counted_as_by_hand(system: CodeSystem) -> None:
    gold = [note("a", "I10", "I50.9"), note("b", "I10"), note("c", "I10", "ZZZ.99")]
    found = [note("a", "I10", "I50.1"), note("b"), note("c", "I50.1")]
    comparison = evaluate(gold, {"one": found}, system, Settings(draws=0))
    counts = comparison.evaluations["one"].codes
    assert counts == (
        CodeCount("I10", "Essential (primary) hypertension", 1, 2, 0),
        CodeCount("I50.1", "Left ventricular failure, unspecified", 0, 0, 2),
        CodeCount("I50.9", "Heart failure, unspecified", 0, 1, 0),
        CodeCount("ZZZ.99", "", 0, 1, 0),
    )
    missed, invented = Report("x", [], comparison.evaluations).code_tables
    assert missed.heading == "Most often missed: one"
    assert [row[0] for row in missed.rows] == [
        "I10 Essential (primary) hypertension",
        "I50.9 Heart failure, unspecified",
        "ZZZ.99",
    ]
    assert invented.rows == [["I50.1 Left ventricular failure, unspecified", "0", "0", "2"]]
    assert codes_csv(comparison.evaluations).splitlines()[:2] == [
        "system,code,title,right,missed,invented",
        "one,I10,Essential (primary) hypertension,1,2,0",
    ]
