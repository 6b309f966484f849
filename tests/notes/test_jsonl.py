from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes import AssignedCode, CodedNote, Evidence, Note
from cclearn.notes.inputs import read_notes
from cclearn.notes.jsonl import (
    read_coded_notes,
    read_rows,
    read_span_pairs,
    row_to_json,
    write_rows,
)

AWKWARD = "İstanbul\r\nnaïve e\u0301 \u00a0👩‍⚕️ “quote”\u2028 end \t"
SECRET = "the patient John Doe"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def notes_of(path: Path) -> list[Note]:
    return list(read_notes(path))


@given(texts, st.data())
def test_rows_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    codes = []
    if text:
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, len(text)))
        evidence = Evidence(start=start, end=end, text=text[start:end])
        codes = [AssignedCode(code="I21.4", score=0.5, evidence=[evidence])]
    note = CodedNote(id="n", text=text, codes=codes)
    path = tmp_path_factory.mktemp("rows") / "notes.jsonl"
    assert write_rows(path, [note]) == 1
    assert list(read_coded_notes(path)) == [note]


def test_a_file_of_notes_is_private_and_versioned(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "notes.jsonl"
    write_rows(path, [Note(id="n", text="x")])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["schema_version"] == 1


def test_nothing_is_left_behind_when_writing_fails(tmp_path: Path) -> None:
    def broken() -> object:
        yield Note(id="n", text="x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rows(tmp_path / "notes.jsonl", broken())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_text_files_are_read_unchanged(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(AWKWARD.encode())
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "ignored.md").write_bytes(b"x")
    assert [(n.id, n.text) for n in notes_of(tmp_path)] == [("a", ""), ("b", AWKWARD)]
    assert notes_of(tmp_path / "b.txt")[0].text == AWKWARD


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "a", "text": "' + SECRET.encode(), r":2: not JSON at column \d+$"),
        (b'["a"]', ":2: not a JSON object$"),
        (b'{"id": "a"}', ":2: text: missing$"),
        (b'{"id": "a", "text": 5}', ":2: text: Input should be a valid string$"),
        (b'{"id": "a", "txt": "x", "text": "y"}', ":2: txt: unknown field. Did you mean 'text'"),
        (b'{"id": "first", "text": "y"}', ":2: id: 'first' occurs twice$"),
        (b'{"id": "", "text": "y"}', ":2: id: String should have at least 1 character$"),
        (b'{"id": "a", "text": "\xff"}', r":2: not UTF-8 at byte 21\."),
        (b'{"id": "a", "text": "x", "schema_version": "John"}', ":2: schema_version: only 1 is"),
        (b'{"id": "a", "text": "x", "John Doe\\n": 1}', ":2: unknown field.$"),
        (b'{"id": ' + b"1" * 5_000 + b"}", ":2: "),
        (b'{"id": "a", "text": "\\ud800"}', ":2: contains half of a surrogate pair$"),
        (b"[" * 100_000, ":2: "),
    ],
)
def test_a_bad_line_is_reported_by_line_and_field(
    tmp_path: Path, line: bytes, message: str
) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b'{"id": "first", "text": "x"}\n' + line + b"\n")
    with pytest.raises(DataError, match=message) as error:
        list(read_rows(path, Note))
    assert str(error.value).startswith(f"{path}:2: ")
    assert "John" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_quote_is_reported_without_its_text(tmp_path: Path) -> None:
    path = tmp_path / "coded.jsonl"
    row = {"id": "n", "text": SECRET, "codes": [{"code": "A41.9", "evidence": []}]}
    row["codes"][0]["evidence"] = [{"start": 0, "end": 3, "text": "John"}]  # type: ignore[index]
    path.write_text(json.dumps(row))
    with pytest.raises(DataError, match=r"codes\.0\.evidence\.0: .* at 0:3$") as error:
        list(read_coded_notes(path))
    assert "John" not in str(error.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt: no such file"):
        notes_of(tmp_path / "gone.txt")
    with pytest.raises(DataError, match=r"gone\.jsonl: no such file"):
        notes_of(tmp_path / "gone.jsonl")
    with pytest.raises(DataError, match=r"contains no \.txt file"):
        notes_of(tmp_path)
    (tmp_path / "latin.txt").write_bytes("naïve".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8 at byte 2"):
        notes_of(tmp_path / "latin.txt")


def test_empty_lines_and_a_missing_last_newline_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('\n{"id": "a", "text": ""}\n\n{"id": "b", "text": "x"}')
    assert [note.id for note in read_rows(path, Note)] == ["a", "b"]


def test_a_row_is_one_line() -> None:
    assert "\n" not in row_to_json(Note(id="n", text="a\nb\u2028c\r\nd"))


def test_rejected_codes_are_spelled_officially_too(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "notes.jsonl"
    codes = [AssignedCode(code="i10", decision="accept")]
    note = CodedNote(id="n", text="x", codes=codes, rejected=[AssignedCode(code="e119")])
    write_rows(path, [note])
    (read,) = read_coded_notes(path, system)
    assert [(a.code, a.decision) for a in read.codes] == [("I10", "accept")]
    assert [a.code for a in read.rejected] == ["E11.9"]
    twice = note.model_copy(update={"rejected": [AssignedCode(code="I10")]})
    write_rows(path, [twice])
    with pytest.raises(DataError, match="I10 occurs twice"):
        list(read_coded_notes(path, system))


def test_pairs_without_a_release_get_the_loaded_one(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "pairs.jsonl"
    fields = {"text": "MI", "code": "i219", "grade": "gold", "source": "mine"}
    rows = [{"id": "a", **fields}, {"id": "b", "release": "2020", **fields}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pairs = list(read_span_pairs(path, system))
    assert [(pair.code, pair.release) for pair in pairs] == [
        ("I21.9", system.release),
        ("I21.9", "2020"),
    ]
    assert [pair.release for pair in read_span_pairs(path)] == ["", "2020"]


def test_pairs_that_all_lack_a_field_give_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{"id": str(n), "text": "MI", "code": "I21.9", "grade": "gold"} for n in range(2_000)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError) as error:
        list(read_span_pairs(path))
    assert error.value.lines == [
        f"{path}:1: source: missing (and 999 more lines: 2, 3, 4, …)",
    ]
