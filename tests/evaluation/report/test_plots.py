from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.metrics.reliability import (
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
)
from cclearn.evaluation.report.confusion import confusion_tree, find_confusions, kinship_of
from cclearn.evaluation.report.cost import Cost, cost_rows
from cclearn.evaluation.report.plots import plots
from cclearn.evaluation.scored_notes import AlignedNotes, scored_note
from tests.evaluation.notes import note, of_labels

COSTS = {
    "<b>": Cost(notes=2, seconds=0.1, prompt_tokens=0, answer_tokens=0, peak_mib=100),
    "two": Cost(2, 2.0, 1200, 34.4, 100, gpu_seconds=1.5, peak_gpu_mib=4096, price=0.01),
}


def aligned(gold, predicted):  # type: ignore[no-untyped-def]
    return AlignedNotes([scored_note(n) for n in gold], [scored_note(n) for n in predicted], ())


def test_plots_are_drawn_if_there_are_scores_for_them(system: CodeSystem) -> None:
    scores = {"I10": 0.9, "E11.9": 0.4}
    gold = [note(str(n), {"I10": []} if n % 2 else {"E11.9": []}) for n in range(6)]
    answers = [note(str(n), {"I10": [], "E11.9": []}, scores) for n in range(6)]
    settings = Settings(draws=20, training={"I10": 3})
    found = evaluate(gold, {"<b>": answers, "two": gold}, system, settings).evaluations
    drawn = plots(found, COSTS)
    assert [heading for heading, _ in drawn] == [
        "Micro F1 by how often the training notes hold a code",
        "Micro F1 by chapter",
        "Reliability of the scores",
        "Cost against accuracy",
    ]
    for _, drawing in drawn:
        assert drawing.startswith("<svg")
        assert "<script" not in drawing
        assert "<b>" not in drawing
    assert plots(found, COSTS) == drawn
    bare = evaluate(*_one([({"I10"}, {"I10"})]), system, Settings(draws=0)).evaluations
    assert plots(bare) == []


def _one(pairs):  # type: ignore[no-untyped-def]
    gold, predicted = of_labels(pairs)
    return gold, {"it": predicted}


def test_calibration_is_counted_by_tenths() -> None:
    gold = [note("1", {"I10": []}), note("2", {})]
    answers = [
        note("1", {"I10": [], "E11.9": []}, {"I10": 1.0, "E11.9": 0.31}),
        note("2", {"I10": []}, {"I10": 0.95}),
    ]
    bins = reliability_bins(aligned(gold, answers))
    assert bins == [
        ReliabilityBin(0.3, 1, 0.31, 0.0),
        ReliabilityBin(0.9, 2, pytest.approx(0.975), 0.5),
    ]
    assert expected_calibration_error(bins) == pytest.approx((0.31 + 2 * 0.475) / 3)
    assert reliability_bins(aligned(gold, gold)) == []
    assert expected_calibration_error([]) is None


def test_missed_codes_stand_beside_their_nearest_wrong_relative(system: CodeSystem) -> None:
    assert kinship_of(system, "I21.4", "I21.9") == "sibling"
    assert kinship_of(system, "I21.01", "I21.11") == "cousin"
    assert kinship_of(system, "I21.01", "I21.4") == "category"
    assert kinship_of(system, "I21.4", "I50.9") == "chapter"
    assert kinship_of(system, "I21.4", "E11.9") is None
    pairs = [({"I21.4", "I50.9"}, {"I21.9", "I10"})] * 2 + [({"I21.4"}, {"I21.9", "I21.4"})]
    found = find_confusions(aligned(*of_labels(pairs)), system)
    assert [(c.missed, c.predicted, c.kinship, c.notes) for c in found] == [
        ("I21.4", "I21.9", "sibling", 2),
        ("I50.9", "I10", "chapter", 2),
    ]


def test_confusions_of_siblings_and_cousins_are_a_tree(system: CodeSystem) -> None:
    pairs = [
        ({"I21.4", "I50.9", "E11.9"}, {"I21.9", "I10"}),
        ({"I21.4"}, {"I21.9", "I21.4"}),
        ({"I21.4", "I21.01"}, {"I21.9", "I21.11"}),
        ({"I21.01"}, {"I21.02"}),
        ({"S72.001A"}, {"S72.001B"}),
    ]
    found = find_confusions(aligned(*of_labels(pairs)), system)
    heart, injury = confusion_tree(found, system, 10)
    # What is alone on its way up stands under the nearest code that holds both.
    assert (heart.code, heart.notes) == ("I21", 4)
    assert heart.title == system.description("I21")
    assert [(c.missed, c.predicted, c.notes) for c in heart.confusions] == [
        ("I21.4", "I21.9", 2),
        ("I21.01", "I21.11", 1),
    ]
    (below,) = heart.below
    assert (below.code, below.notes, below.below) == ("I21.0", 1, ())
    assert [(c.missed, c.predicted) for c in below.confusions] == [("I21.01", "I21.02")]
    assert (injury.code, injury.notes) == ("S72.001", 1)
    # Only the most frequent are shown, and of the chapter's I50.9 and I10 nothing.
    (alone,) = confusion_tree(found, system, 1)
    assert (alone.code, alone.notes, alone.below) == ("I21", 2, ())
    assert confusion_tree([], system, 10) == []


def test_costs_are_a_table_of_what_was_counted() -> None:
    assert cost_rows(COSTS) == [
        ["seconds a note", "0.1", "2"],
        ["GPU-seconds a note", "0", "1.5"],
        ["tokens read a note", "0", "1,200"],
        ["tokens written a note", "0", "34"],
        ["price a note", "–", "0.01"],
        ["peak memory, MiB", "100", "100"],
        ["peak GPU memory, MiB", "–", "4,096"],
    ]
