from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora import UnusableRow, find_corpus, options_of
from cclearn.evaluation.corpora.annotations import Label, labelled_note
from cclearn.notes import CodedNote

TEXT = "😀 Old MI.\r\nNo asthma, but COPD."
"""An emoji counts as two UTF-16 code units, so that offsets of browsers are greater by one."""


def read(
    name: str, path: Path, system: CodeSystem, split: str = "all", **settings: object
) -> tuple[list[CodedNote], list[tuple[str, str, str]]]:
    corpus = find_corpus(name)
    rows = list(corpus.rows(path, split, options_of(corpus, settings), system))
    notes = [row for row in rows if isinstance(row, CodedNote)]
    unusable = [row for row in rows if isinstance(row, UnusableRow)]
    return notes, [(row.note, row.code, row.problem) for row in unusable]


def spans(note: CodedNote) -> dict[str, list[str]]:
    return {assigned.code: [e.text for e in assigned.evidence] for assigned in note.codes}


def span(start: int, end: int, quote: str, label: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": quote, "labels": [label]}
    return {"type": "labels", "from_name": "label", "value": value}


def test_exports_of_label_studio_are_read(tmp_path: Path, system: CodeSystem) -> None:
    tasks = [
        {
            "id": 7,
            "data": {"text": TEXT, "ref": "n-7"},
            "annotations": [
                {
                    "result": [
                        span(6, 8, "MI", "I25.2"),  # code points
                        span(27, 31, "COPD", "j449: COPD"),  # UTF-16 code units
                        span(0, 4, "MI", "I10"),  # a wrong place
                        {"type": "relation", "from_id": "a", "to_id": "b"},
                        {"type": "choices", "value": {"choices": ["E11.9"]}},
                        {"type": "taxonomy", "value": {"taxonomy": [["Circulatory", "I10"]]}},
                        {"type": "labels", "value": {"start": "x", "end": 3, "labels": ["I10"]}},
                    ]
                },
                {"was_cancelled": True, "result": [span(6, 8, "MI", "I21.4")]},
            ],
        },
        {"id": 8, "data": {"note": "Well."}, "annotations": []},
        "no task",
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    notes, unusable = read("label-studio", path, system)
    (note,) = notes
    assert (note.id, note.text) == ("7", TEXT)
    assert spans(note) == {"I25.2": ["MI"], "J44.9": ["COPD"], "E11.9": [], "I10": []}
    assert unusable == [
        ("7", "", "not a label of Label Studio"),
        ("7", "I10", "the quote is not at its offsets"),
        ("8", "", "the task has no text in the field text"),
        ("", "", "not a task"),
    ]
    (named,), _ = read("label-studio", path, system, id="ref")
    assert named.id == "n-7"
    short = [{"id": 9, "text": "Old MI.", "label": [{"start": 4, "end": 6, "labels": ["I25.2"]}]}]
    path.write_text(json.dumps(short), encoding="utf-8")
    (note,), _ = read("label-studio", path, system)
    assert spans(note) == {"I25.2": ["MI"]}
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="not an export of Label Studio"):
        read("label-studio", path, system)


def test_all_shapes_of_the_small_export_of_label_studio_are_read(
    tmp_path: Path, system: CodeSystem
) -> None:
    place = {"start": 4, "end": 6, "text": "MI"}
    fields: list[dict[str, Any]] = [
        {"codes": "I25.2: old infarction", "annotator": "R. Oe"},
        {"codes": {"choices": ["I25.2", "I10"]}},
        {"codes": [{"taxonomy": [["Circulatory", "I25.2"]]}]},
        {"label": [{**place, "hypertextlabels": ["I25.2"]}]},
        {"label": [{**place, "labels": ["I25.2"]}]},
    ]
    tasks = [{"id": n, "text": "Old MI.", **found} for n, found in enumerate(fields)]
    path = tmp_path / "min.json"
    path.write_text(json.dumps(tasks))
    notes, unusable = read("label-studio", path, system)
    assert [sorted(spans(note)) for note in notes] == [
        ["I25.2"],
        ["I10", "I25.2"],
        *[["I25.2"]] * 3,
    ]
    assert [spans(note)["I25.2"] for note in notes[3:]] == [["MI"], ["MI"]]
    assert unusable == []


def test_exports_of_doccano_are_read(tmp_path: Path, system: CodeSystem) -> None:
    rows = [
        {"id": 1, "text": "Old MI.", "label": [[4, 6, "I25.2"]]},
        {
            "id": 2,
            "text": "COPD.",
            "entities": [{"id": 5, "label": "J44.9", "start_offset": 0, "end_offset": 4}],
            "cats": ["I10"],
        },
        {
            "id": 3,
            "text": "Well.",
            "label": ["E11.9", [0, 99, "I10"], [0, "I10"], [True, 2, "I10"]],
        },
        {"id": 4, "text": None, "label": []},
    ]
    path = tmp_path / "all.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    notes, unusable = read("doccano", path, system)
    assert [spans(note) for note in notes] == [
        {"I25.2": ["MI"]},
        {"J44.9": ["COPD"], "I10": []},
        {"E11.9": []},
    ]
    assert unusable == [
        ("3", "", "not a label of doccano"),
        ("3", "", "not a label of doccano"),
        ("3", "I10", "the evidence is outside the text"),
        ("4", "", "the note has no text"),
    ]


def test_annotations_of_brat_are_read(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "a.txt").write_text("Old MI. Pain in the chest. COPD.", encoding="utf-8")
    (tmp_path / "dev" / "a.ann").write_text(
        "T1\tDisease 4 6\tMI\n"
        "N1\tReference T1 ICD10CM:I25.2\tOld myocardial infarction\n"
        "T2\tSymptom 8 12;20 25\tPain chest\n"
        "#1\tAnnotatorNotes T2\tR07.9 unspecified\n"
        "T3\tJ449 27 31\tCOPD\n"
        "#2\tAnnotatorNotes T3\tunsure, ask Dr. Smith\n"
        "#3\tAnnotatorNotes T3\t \n"
        "T4\tI10 0 3\tnot\n"
        "R1\tWith Arg1:T1 Arg2:T2\n"
        "*\tEquiv T1 T2\n"
        "T5\tI10 4\tMI\n"
        "garbage\n",
        encoding="utf-8",
    )
    (tmp_path / "dev" / "b.txt").write_text("Well.", encoding="utf-8")
    notes, unusable = read("brat", tmp_path, system)
    assert [note.id for note in notes] == ["dev/a", "dev/b"]
    assert spans(notes[0]) == {"I25.2": ["MI"], "R07.9": ["Pain in the chest"], "J44.9": ["COPD"]}
    assert notes[1].codes == []
    assert unusable == [
        ("dev/a", "", "offsets are no pairs of numbers"),
        ("dev/a", "", "not a line of brat"),
        ("dev/a", "I10", "the quote is not at its offsets"),
    ]
    assert read("brat", tmp_path, system, "dev")[0][0].id == "a"
    with pytest.raises(DataError, match="not a folder of brat"):
        read("brat", tmp_path, system, "test")


@given(st.text(st.sampled_from("ab 😀é\r\n"), min_size=1), st.data())
def test_offsets_of_browsers_lead_to_the_quote(
    system: CodeSystem, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    units = [len(text[:offset].encode("utf-16-le")) // 2 for offset in (start, end)]
    label = Label("I10", units[0], units[1], text[start:end])
    (note,) = labelled_note(Path("x"), "1", text, [label], system)
    assert isinstance(note, CodedNote)
    # The same quote may stand at the number of code points, which is tried first.
    assert [e.text for e in note.codes[0].evidence] == [text[start:end]]
