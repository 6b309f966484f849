"""Files of annotation tools give the same notes when `cclearn build corpus` reads them back."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation.corpora import find_corpus, options_of
from cclearn.evaluation.corpora.base import UnusableRow
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.contract import Review
from cclearn.outputs import find_output
from tests.outputs.notes import FULL, TEXT, cited, coded_notes

REVIEW = Review(reviewers=["anna"], time="2026-05-01T10:00:00.000+00:00", model="m", shown=True)
NOTE = CodedNote(
    id="ward/visit 7",
    text=TEXT,
    codes=[
        AssignedCode(code="I25.2", evidence=cited("Old MI")),
        AssignedCode(code="I50.23", evidence=cited("Acute on chronic systolic heart failure")),
        AssignedCode(code="R52", evidence=cited("\U0001f9e0 \tpain", "MI.\r\nAcute")),
        AssignedCode(code="Z79.4"),
    ],
    review=REVIEW,
)

FORMATS = {
    "label-studio": "tasks.json",
    "doccano": "notes.jsonl",
    "brat": "n.zip",
    "inception": "i.zip",
}


def read_back(path: Path, name: str, system: CodeSystem) -> list[CodedNote]:
    if path.suffix == ".zip":
        folder = path.with_suffix("")
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        path = folder
    corpus = find_corpus(name)
    values = {"id": "id"} if name == "label-studio" else {}
    rows = list(corpus.rows(path, "all", options_of(corpus, values), system))
    assert not [row for row in rows if isinstance(row, UnusableRow)]
    return [row for row in rows if isinstance(row, CodedNote)]


def spans(note: CodedNote) -> dict[str, list[tuple[int, int]]]:
    return {code.code: sorted((e.start, e.end) for e in code.evidence) for code in note.codes}


@pytest.mark.parametrize("name", FORMATS)
def test_notes_come_back(name: str, tmp_path: Path, system: CodeSystem) -> None:
    out = tmp_path / FORMATS[name]
    find_output(out, name).write([NOTE])
    (note,) = read_back(out, name, system)
    assert (note.id, note.text) == (NOTE.id, NOTE.text)
    expected = spans(NOTE)
    if name in ("brat", "inception"):
        del expected["Z79.4"]  # An annotation of these tools is a span.
    assert spans(note) == expected


@given(note=coded_notes())
def test_label_studio_and_doccano_are_json_for_any_note(note: CodedNote) -> None:
    for name in ("label-studio", "doccano"):
        text = "".join(find_output(None, name).chunks([note]))
        parsed = json.loads(text)
        (task,) = parsed if name == "label-studio" else [parsed]
        assert (task.get("text") or task.get("data", {}).get("text", "")) == note.text
        assert ("annotations" in task) == (note.review is not None)


def test_label_studio_shows_what_nobody_reviewed_as_predictions() -> None:
    (task,) = json.loads("".join(find_output(None, "label-studio").chunks([FULL])))
    results = task["predictions"][0]["result"]
    assert [r["value"].get("labels", r["value"].get("choices"))[0] for r in results] == [
        "I50.23", "I50.23", "I25.2", "R52", "E11",
    ]  # fmt: skip
    assert results[0]["score"] == 0.75
    assert results[0]["value"]["text"] == "Acute on chronic systolic heart failure"
    assert json.loads("".join(find_output(None, "label-studio").chunks([]))) == []


def test_brat_by_hand(tmp_path: Path) -> None:
    find_output(tmp_path / "n.zip", "brat").write([NOTE])
    with zipfile.ZipFile(tmp_path / "n.zip") as archive:
        assert archive.namelist() == ["ward/visit 7.txt", "ward/visit 7.ann"]
        lines = archive.read("ward/visit 7.ann").decode().splitlines()
    assert lines[0] == "T1\tCode 0 6\tOld MI"
    assert lines[1] == "N1\tReference T1 ICD10CM:I25.2\t"
    # A span over the end of a line has a fragment on each.
    assert "T4\tCode 4 7;9 14\tMI. Acute" in lines


@pytest.mark.parametrize("identifier", ["../x", "/x", "a//b", ".x", "a\nb", "a/.."])
def test_ids_that_would_leave_the_folder_are_refused(identifier: str, tmp_path: Path) -> None:
    note = NOTE.model_copy(update={"id": identifier})
    for name in ("brat", "inception"):
        with pytest.raises(CclearnError, match="is the name of a file"):
            find_output(tmp_path / "n.zip", name).write([note])
        assert not (tmp_path / "n.zip").exists()


def test_archives_are_no_text_and_xml_has_no_control_characters(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Name a \.zip file"):
        "".join(find_output(None, "brat").chunks([NOTE]))
    with pytest.raises(CclearnError, match="control characters"):
        find_output(tmp_path / "n.zip", "inception").write([CodedNote(id="n", text="a\x07b")])
