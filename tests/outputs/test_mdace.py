from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.evaluation.corpora import find_corpus, options_of
from cclearn.notes import AssignedCode, CodedNote
from cclearn.outputs import find_output
from tests.outputs.notes import EMPTY, FULL, TEXT, cited, coded_notes

CHART = Path("141751-ICD-10.json")


def test_a_chart_is_as_computed_by_hand() -> None:
    note = FULL.model_copy(update={"id": "22980", "codes": FULL.codes[:2]})
    chart = json.loads("".join(find_output(CHART, "mdace").chunks([note, EMPTY])))
    failure = {
        "code": "I50.23",
        "code_system": "ICD-10-CM",
        "description": "Acute on chronic systolic (congestive) heart failure",
        "type": "cclearn",
    }
    old = {
        "begin": 0,
        "end": 6,
        "code": "I25.2",
        "code_system": "ICD-10-CM",
        "description": "Old myocardial infarction",
        "type": "cclearn",
    }
    annotations = [{"begin": 9, "end": 48, **failure}, {"begin": 35, "end": 48, **failure}, old]
    kind = {"category": "", "description": ""}
    assert chart == {
        "hadm_id": 141751,
        "comment": "",
        "notes": [
            {"note_id": 22980, **kind, "annotations": annotations, "text": TEXT},
            {"note_id": 8, **kind, "annotations": [], "text": ""},
        ],
    }


def test_codes_of_icd9_are_named_so() -> None:
    codes = [AssignedCode(code="412", system="icd9cm", evidence=cited("Old MI"))]
    note = CodedNote(id="007", text=TEXT, codes=codes)
    chart = json.loads("".join(find_output(CHART, "mdace").chunks([note])))
    assert chart["notes"][0]["annotations"][0]["code_system"] == "ICD-9-CM"
    assert chart["notes"][0]["note_id"] == "007"


def test_a_chart_is_read_back(tmp_path: Path, system: CodeSystem) -> None:
    charts = tmp_path / "data" / "Inpatient" / "ICD-10" / "1.0"
    find_output(charts / CHART, "mdace").write([FULL, EMPTY])
    splits = tmp_path / "splits" / "Inpatient"
    splits.mkdir(parents=True)
    (splits / "MDace-ev-test.csv").write_text("141751\n")
    corpus = find_corpus("mdace")
    note, empty = corpus.read(tmp_path, "test", options_of(corpus, {}), system)
    assert (empty.id, empty.text, empty.codes) == ("8", "", [])
    assert (note.id, note.text) == (FULL.id, FULL.text)
    assert [(a.code, a.evidence) for a in note.codes] == [
        (a.code, a.evidence) for a in FULL.ranked if a.evidence
    ]


@given(st.lists(coded_notes(), max_size=3))
def test_any_chart_is_json_with_the_notes_own_words(notes: list[CodedNote]) -> None:
    chart = json.loads("".join(find_output(CHART, "mdace").chunks(notes)))
    for note, read in zip(notes, chart["notes"], strict=True):
        assert (str(read["note_id"]), read["text"]) == (note.id, note.text)
        quotes = [read["text"][a["begin"] : a["end"]] for a in read["annotations"]]
        assert quotes == [e.text for a in note.ranked for e in a.evidence]


@pytest.mark.shared_data
def test_the_fields_are_those_of_mdace(shared_data: Path) -> None:
    folder = shared_data / "mdace" / "data" / "Inpatient" / "ICD-10" / "1.0"
    theirs = json.loads((folder / CHART).read_text())
    ours = json.loads("".join(find_output(CHART, "mdace").chunks([FULL])))
    assert ours.keys() == theirs.keys()
    (note,), (other, *_) = ours["notes"], theirs["notes"]
    assert note.keys() == other.keys() | {"text"}
    assert note["annotations"][0].keys() == other["annotations"][0].keys()
    assert {a["code_system"] for a in note["annotations"]} <= {
        a["code_system"] for n in theirs["notes"] for a in n["annotations"]
    }
