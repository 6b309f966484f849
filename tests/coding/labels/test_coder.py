from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding import CoderSettings, load_coder
from cclearn.coding.labels.settings import LabelSettings
from cclearn.errors import CclearnError, CclearnWarning, ConfigurationError
from cclearn.notes import CodedNote, Note
from cclearn.notes.jsonl import read_coded_notes


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    """A copy of the model, whose files may be changed."""
    return Path(shutil.copytree(model, tmp_path / "copied"))


def coder(model: Path, system: CodeSystem, **settings: object) -> Coder:
    labels = LabelSettings.model_validate(settings)
    return load_coder(CoderSettings(model=str(model), labels=labels), system)


def notes(data: Path) -> list[CodedNote]:
    return list(read_coded_notes(data / "notes" / "notes.jsonl"))[:6]


def scores(coded: CodedNote) -> dict[str, float | None]:
    return {code.code: code.score for code in (*coded.codes, *coded.rejected)}


def test_codes_have_scores_and_evidence(model: Path, data: Path, system: CodeSystem) -> None:
    made = coder(model, system, threshold=0.05, evidence_threshold=0.01)
    coded = list(made.code_many(note.note for note in notes(data)))
    codes = [code for note in coded for code in note.codes]
    assert codes
    for note in coded:
        for code in note.codes:
            assert code.score is not None
            assert code.score >= 0.05
            assert code.status == "valid"
            assert code.evidence
            assert all(note.text[e.start : e.end] == e.text for e in code.evidence)
    assert made.usage.prompt_tokens > 0
    assert made.model_sha256


def test_the_best_labels_are_given_and_those_below_the_threshold_are_rejected(
    model: Path, data: Path, system: CodeSystem
) -> None:
    (note, *_) = notes(data)
    coded = coder(model, system, threshold=0.99, top=7).code(note.note)
    assert len(coded.codes) + len(coded.rejected) == 7
    assert all((code.score or 0) < 0.99 for code in coded.rejected)
    more = coder(model, system, threshold=0.0, top=0, evidence="none").code(note.note)
    ranked = sorted(scores(more).items(), key=lambda item: -(item[1] or 0))
    assert set(scores(coded)) == {code for code, _ in ranked[:7]}


def test_codes_without_evidence_say_so(model: Path, data: Path, system: CodeSystem) -> None:
    (note, *_) = notes(data)
    coded = coder(model, system, threshold=0.0, evidence_threshold=1.0).code(note.note)
    assert not any(code.evidence for code in coded.codes)
    assert all("evidence: no word" in code.flags[0] for code in coded.codes)
    silent = coder(model, system, threshold=0.0, evidence="none").code(note.note)
    assert not any(code.flags and code.flags[0].startswith("evidence") for code in silent.codes)


@pytest.mark.parametrize("evidence", ["attingrad", "attention"])
def test_results_depend_on_neither_the_batch_nor_the_order_of_notes(
    evidence: str, model: Path, data: Path, system: CodeSystem
) -> None:
    given = [note.note for note in notes(data)]
    one = coder(model, system, top=4, batch_size=1, evidence=evidence)
    many = coder(model, system, top=4, batch_size=4, evidence=evidence)
    alone = {note.id: note for note in one.code_many(given)}
    together = {note.id: note for note in many.code_many(reversed(given))}
    for identifier, note in alone.items():
        other = together[identifier]
        assert scores(other) == pytest.approx(scores(note), abs=1e-6)
        assert [c.evidence for c in other.codes] == [c.evidence for c in note.codes]


def test_unusual_notes_are_coded(model: Path, system: CodeSystem) -> None:
    made = coder(model, system, top=3)
    texts = ["", " ", "\r\n\t", "🙂" * 40, "<|end|><|pad|>", "chest pain " * 3_000]
    coded = list(made.code_many(Note(id=str(n), text=text) for n, text in enumerate(texts)))
    assert [note.text for note in coded] == texts
    assert not coded[0].codes
    assert not coded[0].rejected
    flagged = [any(flag.startswith("length: only the first") for flag in n.flags) for n in coded]
    assert flagged == [False, False, False, False, False, True]


def test_english_rules_can_be_turned_off(model: Path, system: CodeSystem) -> None:
    made = load_coder(CoderSettings(model=str(model), assertion="off"), system)
    assert made.assertion == "off"
    assert "assertion=off" in made.identity.mode


def test_spans_are_coded(model: Path, data: Path, system: CodeSystem) -> None:
    made = coder(model, system, threshold=0.9, top=2)
    found = list(made.code_spans(["acute myocardial infarction", "", "pain"]))
    assert [len(codes) for codes in found] == [2, 0, 2]


def test_labels_that_are_not_billable_are_left_out(copied: Path, system: CodeSystem) -> None:
    path = copied / "config.json"
    config = json.loads(path.read_text())
    codes = config["codes"]
    path.write_text(json.dumps({**config, "codes": ["I21", *codes[1:]]}))
    manifest = copied / "manifest.json"
    manifest.unlink()
    coded = coder(copied, system, threshold=0.0, evidence="none").code("chest pain")
    assert {code.code for code in coded.codes} == set(codes[1:])
    path.write_text(json.dumps({**config, "codes": ["I21"] * len(codes)}))
    with pytest.raises(ConfigurationError, match=r"none of its .* codes is billable"):
        coder(copied, system)


def test_another_code_system_or_release_is_told(
    copied: Path, system: CodeSystem, tmp_path: Path
) -> None:
    path = copied / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["code_system"]["release"] = "1999"
    path.write_text(json.dumps(manifest))
    with pytest.warns(CclearnWarning, match="has learnt icd10cm 1999"):
        coder(copied, system)
    table = tmp_path / "own.csv"
    table.write_text("code,description\nA1,Pain\n")
    with pytest.raises(ConfigurationError, match="has learnt icd10cm"):
        load_coder(CoderSettings(model=str(copied), system=str(table)))


def test_damaged_weights_are_refused(copied: Path, system: CodeSystem) -> None:
    path = copied / "model.safetensors"
    tensors = load_file(path)
    del tensors["head.key.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(CclearnError, match=r"its weights are damaged|has changed"):
        coder(copied, system)


def test_scores_that_are_not_finite_stop_the_run(
    model: Path, system: CodeSystem, data: Path
) -> None:
    made = coder(model, system)
    with torch.no_grad():
        made._model.head.key.weight.fill_(float("nan"))  # type: ignore[attr-defined]
    with pytest.raises(CclearnError, match="not finite"):
        list(made.code_many(note.note for note in notes(data)))


def test_a_language_model_is_needed_elsewhere(model: Path, system: CodeSystem) -> None:
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.engines.registry import load_engine

    with pytest.raises(ConfigurationError, match="scores labels and writes no text"):
        load_engine(str(model))
    with pytest.raises(ConfigurationError, match="scores labels and writes no text"):
        load_coder(CoderSettings(model=str(model), loop=LoopSettings()), system)
    example = CodedNote(id="x", text="pain", codes=[])
    with pytest.raises(ConfigurationError, match="has no prompt"):
        load_coder(CoderSettings(model=str(model), examples=[example]), system)
    with pytest.raises(ConfigurationError, match="neither the model nor a recogniser scores"):
        load_coder(CoderSettings(labels=LabelSettings()), system)


def test_a_calibration_decides_in_place_of_the_threshold(
    copied: Path, data: Path, system: CodeSystem, tmp_path: Path
) -> None:
    from cclearn.workflows.calibrate import calibrate

    settings = LabelSettings(top=5, threshold=0.9)
    raw = load_coder(CoderSettings(model=str(copied), labels=settings, calibration="off"), system)
    path = data / "notes" / "notes.jsonl"
    calibration = calibrate(raw, path, "platt", 0.6, 0.4, lambda given: given)
    file = tmp_path / "calibration.json"
    file.write_text(calibration.model_dump_json())
    made = load_coder(CoderSettings(model=str(copied), labels=settings, calibration=file), system)
    coded = made.code(notes(data)[0].note)
    assert len(coded.codes) + len(coded.rejected) == 5
    assert all(code.decision for code in coded.codes)
    other = LabelSettings(top=6, threshold=0.9)
    with pytest.raises(ConfigurationError, match="it was made for"):
        load_coder(CoderSettings(model=str(copied), labels=other, calibration=file), system)
