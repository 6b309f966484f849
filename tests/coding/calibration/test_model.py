from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.calibration.features import Signals
from cclearn.coding.calibration.model import (
    Calibration,
    Isotonic,
    Platt,
    read_calibration,
    refuse_other_coder,
)
from cclearn.coding.findings import Finding, NoteFindings
from cclearn.coding.guidelines.aggregate import aggregate
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.settings import CoderSettings
from cclearn.coding.single_pass.coder import LLMCoder
from cclearn.engines.replay import ReplayEngine
from cclearn.errors import ConfigurationError, DataError
from cclearn.models import model_hash
from cclearn.notes import CodedNote, Evidence, Note, SpanPair
from cclearn.runtime.files import write_json
from cclearn.weights import CALIBRATION

TEXT = "asthma and cough"


def made(coder: Coder, **changes: Any) -> Calibration:
    """Return a calibration: what has a score of 0.8 is accepted, of 0.2 rejected."""
    fields: dict[str, Any] = {
        "made_for": coder.identity.model_dump(),
        "data_sha256": "0" * 64,
        "notes": 5,
        "codes": 60,
        "base_rate": 0.5,
        "curve": {"method": "isotonic", "raw": [0.0, 1.0], "calibrated": [0.0, 1.0]},
        "thresholds": {
            "accept": 0.8,
            "reject": 0.2,
            "precision": 0.9,
            "rejected_right": 0.1,
            "confidence": 0.95,
        },
        "expected_calibration_error": {"before": None, "after": 0.01},
        "decisions": {},
    }
    return Calibration.model_validate({**fields, **changes})


def scored(probability: float | None, words: int = 1) -> Signals:
    return Signals(probability, evidence=1, agreement=1.0, words=words, characters=6)


def test_platt_is_a_logistic_function() -> None:
    curve = Platt(intercept=1.0, coefficients={"agreement": -1.0, "log_odds": 2.0})
    # 1 − 1 + 2 log 3: odds of 9.
    assert curve.scores([scored(0.75), scored(None)]) == [pytest.approx(0.9), None]
    assert curve.scores([]) == []
    steep = Platt(intercept=0.0, coefficients={"log_odds": 1e6})
    assert steep.scores([scored(1.0), scored(0.0)]) == [1.0, 0.0]
    without = Platt(intercept=0.0, coefficients={})
    assert without.scores([scored(None)]) == [0.5]


def test_isotonic_is_linear_between_its_knots() -> None:
    curve = Isotonic(raw=[0.2, 0.6], calibrated=[0.1, 0.5])
    found = curve.scores([scored(p) for p in (0.0, 0.3, 0.6, 1.0, None)])
    assert found[:1] + found[2:] == [0.1, 0.5, 0.5, None]
    assert found[1] == pytest.approx(0.2)


def test_codes_are_accepted_reviewed_and_rejected(system: CodeSystem) -> None:
    coder = LexiconCoder(system)
    note_findings = NoteFindings(
        Note(id="n", text=TEXT),
        [
            Finding("J45.909", 0, 6, 0.8),
            Finding("R05.9", 11, 16, 0.5),
            Finding("I10", 0, 3, 0.2),
            Finding("E11.9", 4, 6, None),
        ],
    )
    coded = aggregate(note_findings, system)
    found = made(coder).apply(coded, note_findings)
    assert {a.code: (a.score, a.decision) for a in found.codes} == {
        "J45.909": (0.8, "accept"),
        "R05.9": (0.5, "review"),
        "E11.9": (None, "review"),
    }
    (rejected,) = found.rejected
    assert (rejected.code, rejected.score, rejected.decision) == ("I10", 0.2, None)
    assert rejected.evidence == [Evidence(start=0, end=3, text="ast")]
    assert CodedNote.model_validate(found.model_dump()) == found
    none: dict[str, Any] = made(coder).thresholds.model_dump() | {"accept": None, "reject": None}
    undecided = made(coder, thresholds=none).apply(coded, note_findings)
    assert [a.decision for a in undecided.codes] == ["review"] * 4
    assert undecided.rejected == []


def test_a_calibration_on_synthetic_notes_says_so_on_others(system: CodeSystem) -> None:
    coder = Coder.lexicon(system)
    calibration = made(coder, origins=["synthetic"])
    for origin, flagged in (("synthetic", False), ("public", True), ("restricted", True)):
        note_findings = NoteFindings(Note(id="n", text="x", origin=origin), [])  # type: ignore[arg-type]
        coded = aggregate(note_findings, system)
        flags = calibration.apply(coded, note_findings).flags
        assert ("calibration: fitted on synthetic notes" in flags) is flagged
        assert made(coder, origins=["public", "synthetic"]).apply(coded, note_findings) == coded


def test_a_calibrated_coder_scores_and_an_uncalibrated_one_does_not(
    system: CodeSystem, tmp_path: Path
) -> None:
    flat = {"method": "platt", "intercept": math.log(9), "coefficients": {}}
    write_json(tmp_path / "c.json", made(Coder.lexicon(system), curve=flat).model_dump(mode="json"))
    coder = Coder.lexicon(system, calibration=tmp_path / "c.json")
    (code,) = coder.code("asthma").codes
    assert (code.decision, code.score) == ("accept", pytest.approx(0.9))
    for off in (None, "off"):
        (code,) = Coder.lexicon(system, calibration=off).code("asthma").codes
        assert (code.decision, code.score) == (None, None)


def test_a_calibration_survives_writing_and_reading(system: CodeSystem, tmp_path: Path) -> None:
    coder = LexiconCoder(system)
    path = tmp_path / CALIBRATION
    write_json(path, made(coder).model_dump(mode="json"))
    assert read_calibration(path) == made(coder)
    assert CoderSettings(str(tmp_path)).calibration_path == path
    assert CoderSettings(str(tmp_path), calibration="off").calibration_path is None
    assert CoderSettings(str(tmp_path / "none")).calibration_path is None
    with pytest.raises(DataError, match="no such file"):
        Coder.lexicon(system, calibration=tmp_path / "none.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"curve": {"method": "spline"}}, "curve: no calibration"),
        ({"curve": {"method": "platt", "intercept": math.nan, "coefficients": {}}}, "finite"),
        (
            {"curve": {"method": "isotonic", "raw": [0.5, 0.1], "calibrated": [0, 1]}},
            "must be increasing",
        ),
        ({"curve": {"method": "isotonic", "raw": [0.5], "calibrated": [0, 1]}}, "differ in length"),
        ({"calibration_version": 2}, "calibration_version: no calibration"),
        ({"text": "x"}, "text: no calibration"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(
    system: CodeSystem, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    fields = made(LexiconCoder(system)).model_dump(mode="json")
    (tmp_path / "c.json").write_text(json.dumps({**fields, **changes}))
    with pytest.raises(DataError, match=message):
        read_calibration(tmp_path / "c.json")
    (tmp_path / "c.json").write_text("[")
    with pytest.raises(DataError, match="no calibration"):
        read_calibration(tmp_path / "c.json")


def check(coder: Coder, path: Path) -> None:
    refuse_other_coder(path, read_calibration(path).made_for, coder.identity)


def test_another_coders_calibration_is_refused(system: CodeSystem, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    (tmp_path / "answers.jsonl").write_text("")
    engine = ReplayEngine(tmp_path / "answers.jsonl")
    coder = LLMCoder(engine, system)
    write_json(path, made(coder).model_dump(mode="json"))
    check(coder, path)
    with pytest.raises(ConfigurationError, match=r"another model \(answers\), and this is lexicon"):
        check(LexiconCoder(system), path)
    example = CodedNote(id="e", text="cough")
    for other in (LLMCoder(engine, system, template="listed"), LLMCoder(engine, system, [example])):
        with pytest.raises(ConfigurationError, match="other prompts or examples") as error:
            check(other, path)
        assert len(error.value.problems) == 1
    fields = made(coder).model_dump(mode="json")
    fields["made_for"]["mode"] = "span_loop"
    write_json(path, fields)
    for coder.model_sha256 in ("", "1"):
        with pytest.raises(ConfigurationError, match="made for span_loop, and this is single_pass"):
            check(coder, path)
    fields["made_for"]["mode"] = "single_pass"
    write_json(path, fields)
    with pytest.raises(ConfigurationError, match=r"\(answers\), and this is a different answers"):
        check(coder, path)
    coder.model_sha256 = ""
    fields = made(coder).model_dump(mode="json")
    fields["made_for"] |= {"release": "2001", "model": "older"}
    write_json(path, fields)
    with pytest.raises(ConfigurationError, match="icd10cm 2001") as error:
        check(coder, path)
    assert len(error.value.problems) == 2
    # A renamed folder is the same model.
    fields["made_for"] |= {"release": system.release, "model_sha256": "1" * 64}
    write_json(path, fields)
    coder.model_sha256 = "1" * 64
    check(coder, path)
    # More phrases make another lexicon.
    pair = SpanPair(id="p", text="sugar", code="E11.9", release="r", grade="gold", source="user")
    hashes = {LexiconCoder(system, pairs).model_sha256 for pairs in ([], [pair])}
    assert len(hashes) == 2


def test_a_calibration_does_not_change_the_hash_of_its_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = model_hash(tmp_path)
    (tmp_path / CALIBRATION).write_text("{}")
    assert model_hash(tmp_path) == before
    (tmp_path / "other.json").write_text("{}")
    assert model_hash(tmp_path) != before
