from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.evaluation.bounds import MostFrequentCodes, perfectly_filtered
from cclearn.notes import AssignedCode
from tests.evaluation.notes import note, scored


def test_every_note_gets_as_many_frequent_codes_as_a_note_has() -> None:
    floor = MostFrequentCodes.of({"I10": 3, "E11.9": 3, "J45.909": 1}, notes=4)
    assert floor.codes == [
        "E11.9",
        "I10",
    ]  # Seven codes in four notes; ties are in order of the code.
    found = list(floor.code_many([note("1", {"R52": []}), note("2", {})]))
    assert [n.id for n in found] == ["1", "2"]
    assert all([a.code for a in n.codes] == ["E11.9", "I10"] for n in found)


def test_a_perfect_filter_keeps_right_codes_and_takes_rejected_ones_back(
    system: CodeSystem,
) -> None:
    gold = [note("1", {"I10": [], "R52": []}), note("2", {"I25.2": []})]
    predicted = [
        note("1", {"I10": [], "E11.9": []}, rejected=[AssignedCode(code="R52")]),
        note("2", {"E11.9": []}),
    ]
    found = list(perfectly_filtered(gold, predicted))
    assert [[a.code for a in n.codes] for n in found] == [["I10", "R52"], []]
    assert not any(n.rejected for n in found)
    evaluation = scored(gold, found, system)
    assert evaluation.value("micro_precision") == 1.0
    assert evaluation.value("micro_recall") == 2 / 3


def test_a_code_that_the_gold_negates_is_no_right_code() -> None:
    negated = AssignedCode(code="I10", assertion="negated")
    gold = [note("1", {"R52": []})]
    gold = [gold[0].model_copy(update={"codes": [*gold[0].codes, negated]})]
    (found,) = perfectly_filtered(gold, [note("1", {"I10": [], "R52": []})])
    assert [a.code for a in found.codes] == ["R52"]
