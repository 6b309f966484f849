from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.metrics.reliability import bin_scores, expected_calibration_error
from cclearn.evaluation.results import Result, result_of, write_result
from cclearn.notes import AssignedCode, CodedNote, Invalid, Ungrounded
from cclearn.notes.jsonl import read_coded_notes, write_rows
from tests.evaluation.notes import TEXT, note, of_labels, scored


def test_rates_count_what_could_not_be_used(system: CodeSystem) -> None:
    gold = [note("1", {"I10": [(4, 6)]}), note("2", {})]
    invalid = [
        Invalid(code="I21", status="header"),
        Invalid(code="Q", status="unknown"),
        Invalid(code=None, status="unreadable"),
    ]
    predicted = [
        note("1", {"I10": [(4, 6)]}, invalid=invalid, flags=["truncated"]),
        note("2", {}, ungrounded=[Ungrounded(code="I10", quote="x")], repeated=5),
    ]
    ours = scored(gold, predicted, system)
    for name, expected in {
        "invalid_rate": 3 / 10,
        "header_rate": 1 / 10,
        "unknown_rate": 1 / 10,
        "retired_rate": 0,
        "unreadable_rate": 1 / 10,
        "ungrounded_rate": 1 / 10,
        "duplicate_rate": 5 / 10,
        "flagged_rate": 1 / 2,
    }.items():
        assert ours.value(name) == pytest.approx(expected), name


def test_a_missing_note_counts_as_coded_with_nothing(system: CodeSystem) -> None:
    gold, predicted = of_labels([({"I10"}, {"I10"}), ({"I10"}, set())])
    ours = scored(gold, predicted[:1], system)
    assert (ours.notes, ours.missing) == (2, ("1",))
    assert ours.value("micro_recall") == 0.5
    assert "1 of 2 notes have no prediction" in ours.warnings[0]


def test_an_error_lists_all_problems(system: CodeSystem) -> None:
    gold, predicted = of_labels([({"I10"}, {"I10"}), (set(), set())])
    other = predicted[1].model_copy(update={"text": TEXT + " "})
    wrong = [predicted[0], predicted[0], other, note("9", {})]
    with pytest.raises(CclearnError) as error:
        evaluate(gold, {"a": wrong, "b": [note("8", {})]}, system)
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert "system = a, ids = 9): the gold does not contain these notes" in lines[0]
    assert "system = a, ids = 0): there are several" in lines[1]
    assert "system = a, ids = 1): the text differs" in lines[2]
    assert "system = b, ids = 8)" in lines[3]
    assert "pain" not in str(error.value)
    with pytest.raises(CclearnError, match="several notes have the same id"):
        evaluate([gold[0], gold[0]], {}, system)
    with pytest.raises(CclearnError, match="nothing to score against"):
        evaluate([], {}, system)


def test_an_error_lists_all_malformed_lines(tmp_path: Path, system: CodeSystem) -> None:
    gold, predicted = of_labels([({"I10"}, {"I10"}), (set(), set())])
    path = tmp_path / "pred.jsonl"
    write_rows(path, predicted)
    good = path.read_text().splitlines()
    outside = good[0].replace('"evidence":[]', '"evidence":[{"start":0,"end":999,"text":"x"}]')
    other = good[0].replace('"evidence":[]', '"evidence":[{"start":0,"end":3,"text":"New"}]')
    path.write_text("\n".join(["{", outside, other, *good, good[1]]) + "\n")
    with pytest.raises(CclearnError) as error:
        evaluate(gold, {"it": read_coded_notes(path, system)}, system)
    lines = str(error.value).replace(str(path), "pred").splitlines()
    assert lines[0].startswith("pred:1: not JSON at column")
    assert lines[1].startswith("pred:2: codes.0.evidence.0: the quote is not in the note at 0:999")
    assert lines[2].startswith("pred:3: codes.0.evidence.0: the quote is not in the note at 0:3")
    assert lines[3] == "pred:6: id: '1' occurs twice"


def test_collapsed_predictors_give_warnings(system: CodeSystem) -> None:
    pairs = [({"I21.4"} if n % 2 else {"E11.9"}, {"I10"}) for n in range(20)]
    warnings = scored(*of_labels(pairs), system).warnings
    assert "I10 is predicted for 20 of 20 notes" in warnings
    assert "20 of 20 notes are given the same codes" in warnings
    # Of several that are always predicted the first is named, in whatever order a set has them.
    several = set(system.billable_codes("I20-I25"))
    always = scored(*of_labels([(g, several) for g, _ in pairs]), system).warnings
    assert f"{min(several)} is predicted for 20 of 20 notes" in always
    silent = scored(*of_labels([(g, set()) for g, _ in pairs]), system).warnings
    assert silent == ("no note has a predicted code",)
    many = [({"I10"}, set(system.billable_codes("E08-E13")[n : n + 8])) for n in range(12)]
    assert any("8.0 times as many" in w for w in scored(*of_labels(many), system).warnings)
    gold, predicted = of_labels([({"I21", "Q99.98", "I10"}, {"I10"})])
    strange = evaluate(gold, {"it": predicted}, system, Settings(draws=0))
    release = f"icd10cm {system.release}"
    assert strange.warnings == (
        f"1 of the gold's codes is header in {release} (I21); no coder bound to the release can"
        " assign it",
        f"1 of the gold's codes is unknown in {release} (Q99.98); no coder bound to the release can"
        " assign it",
    )
    fine = [({"I21.4"}, {"I21.4"}) if n % 2 else ({"E11.9"}, {"E11.9"}) for n in range(20)]
    assert scored(*of_labels(fine), system).warnings == ()


def test_intervals_are_those_of_a_plain_bootstrap(system: CodeSystem) -> None:
    random = np.random.default_rng(7)
    codes = ["I21.4", "I10", "E11.9", "J18.9"]
    pairs = [
        ({c for c in codes if random.random() < 0.4}, {c for c in codes if random.random() < 0.4})
        for _ in range(40)
    ]
    found = evaluate(*_one(pairs), system, Settings(draws=4_000, seed=1)).evaluations["it"]
    values: dict[str, list[float]] = {"micro_f1": [], "macro_f1": [], "exact_match": []}
    for _ in range(4_000):
        drawn = [pairs[n] for n in random.integers(0, len(pairs), len(pairs))]
        hits = sum(len(g & p) for g, p in drawn)
        values["micro_f1"].append(2 * hits / sum(len(g) + len(p) for g, p in drawn))
        values["exact_match"].append(float(np.mean([g == p for g, p in drawn])))
        scores = []
        for code in codes:
            true = sum(code in g and code in p for g, p in drawn)
            both = sum((code in g) + (code in p) for g, p in drawn)
            if any(code in g for g, _ in drawn):
                scores.append(2 * true / both)
        values["macro_f1"].append(float(np.mean(scores)))
    for name, draws in values.items():
        low, high = np.quantile(draws, (0.025, 0.975))
        assert found.scores[name].low == pytest.approx(low, abs=0.02)
        assert found.scores[name].high == pytest.approx(high, abs=0.02)


def _one(pairs):  # type: ignore[no-untyped-def]
    gold, predicted = of_labels(pairs)
    return gold, {"it": predicted}


def test_systems_are_compared_on_the_same_notes(system: CodeSystem) -> None:
    random = np.random.default_rng(3)
    truth = [{"I10"} if random.random() < 0.5 else {"E11.9"} for _ in range(60)]
    better = [g if random.random() < 0.9 else {"J18.9"} for g in truth]
    worse = [g if random.random() < 0.4 else {"J18.9"} for g in truth]
    gold, one = of_labels(list(zip(truth, better, strict=True)))
    _, two = of_labels(list(zip(truth, worse, strict=True)))
    systems = {"one": one, "two": two, "same": one}
    found = evaluate(gold, systems, system, Settings(draws=500), compare=True)
    assert set(found.differences) == {("one", "two"), ("one", "same"), ("two", "same")}
    apart = found.differences["one", "two"]["micro_f1"]
    assert apart.value == pytest.approx(
        found.evaluations["one"].scores["micro_f1"].value  # type: ignore[operator]
        - found.evaluations["two"].scores["micro_f1"].value
    )
    assert apart.low is not None
    assert apart.low > 0
    assert apart.p_bootstrap == pytest.approx(2 / 501)
    assert apart.p_randomisation == pytest.approx(1 / 501)
    for name in ("micro_f1", "macro_f1"):
        alike = found.differences["one", "same"][name]
        assert (alike.value, alike.low, alike.high, alike.p_bootstrap) == (0, 0, 0, 1)
        assert alike.p_randomisation == 1


def test_the_randomisation_is_that_of_a_plain_exchange(system: CodeSystem) -> None:
    random = np.random.default_rng(5)
    truth = [{"I10", "E11.9"} for _ in range(25)]
    first = [{c for c in ("I10", "E11.9", "J18.9") if random.random() < 0.6} for _ in truth]
    second = [{c for c in ("I10", "E11.9", "J18.9") if random.random() < 0.5} for _ in truth]
    gold, one = of_labels(list(zip(truth, first, strict=True)))
    _, two = of_labels(list(zip(truth, second, strict=True)))
    found = evaluate(gold, {"a": one, "b": two}, system, Settings(draws=2_000), compare=True)

    def micro(answers: list[set[str]]) -> float:
        hits = sum(len(g & p) for g, p in zip(truth, answers, strict=True))
        return 2 * hits / sum(len(g) + len(p) for g, p in zip(truth, answers, strict=True))

    observed = abs(micro(first) - micro(second))
    larger = 0
    for _ in range(2_000):
        swap = random.random(len(truth)) < 0.5
        one = [b if s else a for a, b, s in zip(first, second, swap, strict=True)]
        other = [a if s else b for a, b, s in zip(first, second, swap, strict=True)]
        larger += abs(micro(one) - micro(other)) >= observed - 1e-12
    p = found.differences["a", "b"]["micro_f1"].p_randomisation
    assert p == pytest.approx((larger + 1) / 2_001, abs=0.04)


def test_the_result_file_describes_its_inputs(tmp_path: Path, system: CodeSystem) -> None:
    gold, predicted = of_labels([({"I10"}, {"I10"}), ({"I10"}, {"E11.9"})])
    files = {"gold": tmp_path / "gold.jsonl", "it": tmp_path / "it.jsonl"}
    write_rows(files["gold"], gold)
    write_rows(files["it"], predicted)
    settings = Settings(draws=20)
    comparison = evaluate(gold, {"it": predicted}, system, settings)
    expected = result_of(comparison, system, settings, files, model={"adapter": None})
    write_result(tmp_path, expected)
    text = (tmp_path / "metrics.json").read_text()
    assert Result.model_validate_json(text) == expected
    result = json.loads(text)
    assert TEXT[:8] not in text
    assert set(result["sha256"]) == {"gold", "it"}
    assert result["code_system"]["release"] == system.release
    assert result["label_space"] == {"billable": 74_719, "in_gold_or_predictions": 2}
    it = result["systems"]["it"]
    assert (it["notes_asked"], it["notes_answered"]) == (2, 2)
    assert it["scores"]["micro_f1"]["value"] == 0.5
    assert it["scores"]["micro_f1"]["low"] <= 0.5 <= it["scores"]["micro_f1"]["high"]
    assert result["described"] == {"model": {"adapter": None}}
    again = evaluate(gold, {"it": predicted}, system, settings)
    assert result_of(again, system, settings, files, model={"adapter": None}) == expected


def test_assigned_codes_that_the_release_does_not_allow_are_counted(system: CodeSystem) -> None:
    gold = [note("1", {"I25.2": []}), note("2", {"I10": []})]
    predicted = [
        note("1", {"I25.2": [], "I50": [], "ZZZ99": [], "428.0": []}),
        note("2", {}, flags=["exceeds_context"]),
    ]
    found = scored(gold, predicted, system)
    assert found.value("invalid_rate") == 3 / 4
    assert found.value("header_rate") == 1 / 4
    assert found.value("unknown_rate") == 2 / 4
    assert any(
        "1 of the assigned codes are header in icd10cm" in warning for warning in found.warnings
    )
    assert any("2 of the assigned codes are unknown" in warning for warning in found.warnings)
    assert "1 of 2 notes are flagged exceeds_context" in found.warnings


def test_decisions_are_scored_and_rejected_codes_are_no_predictions(system: CodeSystem) -> None:
    gold = [note("1", {"I25.2": [], "I10": []}), note("2", {"R05.9": []})]

    def decided(assigned: dict[str, str]) -> list[AssignedCode]:
        return [AssignedCode(code=code, decision=decision) for code, decision in assigned.items()]  # type: ignore[arg-type]

    first = decided({"I25.2": "accept", "E11.9": "accept", "I10": "review"})
    second = decided({"J18.9": "review"})
    rejected = [AssignedCode(code="R05.9"), AssignedCode(code="I50.9")]
    predicted = [
        gold[0].model_copy(update={"codes": first}),
        gold[1].model_copy(update={"codes": second, "rejected": rejected}),
    ]
    found = scored(gold, predicted, system)
    # 2, 2 and 2 of 6 codes; one of each is right.
    for decision in ("accept", "review", "reject"):
        assert found.value(f"decision/{decision}/share") == pytest.approx(1 / 3)
        assert found.value(f"decision/{decision}/right") == 1 / 2
    assert found.value("micro_precision") == 2 / 4
    assert found.value("micro_recall") == 2 / 3
    # Beside a system without decisions, which has none of these scores.
    both = evaluate(
        gold, {"it": predicted, "plain": gold}, system, Settings(draws=20), compare=True
    )
    assert both.evaluations["plain"].value("decision/accept/right") is None
    assert both.evaluations["it"].value("decision/accept/right") == 1 / 2
    assert "decision/accept/right" not in scored(gold, gold, system).scores


def test_rejected_codes_with_a_score_are_ranked_behind_the_others(system: CodeSystem) -> None:
    gold = [note("1", {"I25.2": [], "I10": []})]
    codes = [AssignedCode(code="I10", score=0.9)]
    rejected = [
        AssignedCode(code="R52", score=0.1),
        AssignedCode(code="E11.9"),
        AssignedCode(code="I25.2", score=0.4),
        AssignedCode(code="R05.9", score=0.5),
    ]
    predicted = gold[0].model_copy(update={"codes": codes, "rejected": rejected})
    found = scored(gold, [predicted], system)
    # I10, R05.9, I25.2, R52. The code without a score has no rank.
    assert found.value("map") == pytest.approx((1 + 2 / 3) / 2)
    assert found.value("recall_at_5") == 1
    assert found.value("micro_recall") == 1 / 2


def test_bins_of_scores_by_hand() -> None:
    bins = bin_scores([0.95, 0.05, 1.0, 0.0], [True, False, False, True])
    assert [(b.low, b.codes, b.score, b.right) for b in bins] == [
        (0.0, 2, 0.025, 0.5),
        (0.9, 2, 0.975, 0.5),
    ]
    assert expected_calibration_error(bins) == pytest.approx(0.475)
    assert bin_scores([], []) == []


def test_flags_of_notes_are_counted_by_rule(system: CodeSystem) -> None:
    gold = [note("1", {"I10": []}), note("2", {"I10": []})]
    flags = ["seventh character: T68 needs one of A", "seventh character: T75.4 needs one of A"]
    flagged = [gold[0].model_copy(update={"flags": flags}), gold[1]]
    found = scored(gold, flagged, system)
    assert "1 of 2 notes are flagged seventh character" in found.warnings


def test_suggestions_for_the_provider_are_no_flags_of_the_answer(system: CodeSystem) -> None:
    gold = [note("1", {"I10": []})]
    suggested = [gold[0].model_copy(update={"flags": ["suggestion: E87.6 Hypokalemia"]})]
    found = scored(gold, suggested, system)
    assert found.value("flagged_rate") == 0
    assert not any("suggestion" in warning for warning in found.warnings)


def test_an_assertion_that_assigns_no_code_is_not_scored(system: CodeSystem) -> None:
    gold = [note("1", {"I25.2": [(4, 6)]})]

    def with_assertion(assertion: str) -> list[CodedNote]:
        (code,) = gold[0].codes
        changed = code.model_copy(update={"assertion": assertion})
        return [gold[0].model_copy(update={"codes": [changed]})]

    for assertion, right in (
        ("present", 1),
        ("historical", 1),
        ("uncertain", 1),
        ("negated", 0),
        ("family", 0),
    ):
        found = scored(gold, with_assertion(assertion), system)
        assert found.value("micro_recall") == right, assertion
        assert found.value("evidence_span_recall") in (right, None)
    empty = evaluate(with_assertion("negated"), {"it": gold}, system, Settings(draws=0))
    assert "no note of the gold has a code" in empty.warnings


def test_the_notes_of_one_system_need_no_name() -> None:
    coded = CodedNote(id="a", text="x", codes=[AssignedCode(code="I10")])
    comparison = evaluate([coded], [coded], settings=Settings(draws=0))
    assert comparison.evaluations["predictions"].value("micro_f1") == 1.0
