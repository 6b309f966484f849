from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from cclearn.errors import DataError
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.columns import NoteColumns
from cclearn.notes.inputs import NoteSource, read_notes, read_stream
from cclearn.notes.jsonl import write_rows

SECRET = "the words of a note"
ROWS = [{"note_id": 7, "age": 41, "note": "Asthma."}, {"note_id": 8, "age": None, "note": "Cough."}]
COLUMNS = NoteColumns("note", "note_id")


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """The same rows as pandas would write them, in every format of rows."""
    text = "note_id,age,note\n7,41.0,Asthma.\n8,,Cough.\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8-sig")
    (tmp_path / "t.tsv").write_text(text.replace(",", "\t"))
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    return [tmp_path / f"t.{suffix}" for suffix in ("csv", "tsv", "jsonl", "parquet")]


def test_columns_of_tables_are_named(tables: list[Path]) -> None:
    for path in tables:
        notes = list(read_notes(path, columns=COLUMNS))
        assert [(note.id, note.text) for note in notes] == [("7", "Asthma."), ("8", "Cough.")]
        assert [note.metadata for note in notes] == [{}, {}]
        assert {note.origin for note in notes} == {"restricted"}


def test_other_fields_are_kept_on_request(tables: list[Path]) -> None:
    for path in tables:
        columns = NoteColumns("note", "note_id", keep=True)
        kept = [note.metadata["age"] for note in read_notes(path, columns=columns)]
        assert kept == (["41.0", ""] if path.suffix in (".csv", ".tsv") else [41, None])
        assert NoteSource((path,), columns).remarks() == []
        (remark,) = NoteSource((path,), COLUMNS).remarks()
        assert remark.endswith(": not read: age (--keep-fields adds them to the output).")


def test_a_missing_column_is_reported_with_those_that_there_are(tables: list[Path]) -> None:
    for path in tables:
        with pytest.raises(DataError) as error:
            list(read_notes(path))
        assert (
            "text: missing. The fields are note_id, age, note. Name that of the text with"
            in str(error.value)
        )
    with pytest.raises(DataError) as error:
        list(read_notes(*tables, columns=NoteColumns("nota", "number")))
    # Two problems in each table; those of JSON are in its rows.
    assert len(error.value.lines) == 6


def test_a_table_without_ids_is_numbered(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('text,ward\n"a\nb",1\nc,2\n')
    assert [(note.id, note.text) for note in read_notes(path)] == [("2", "a\nb"), ("4", "c")]
    first, second = NoteSource((path,)).remarks()
    assert first.endswith("not read: ward (--keep-fields adds them to the output).")
    assert "there is no column id. The ids are the line numbers" in second
    parquet.write_table(pyarrow.table({"text": ["a", None]}), tmp_path / "t.parquet")
    notes = list(read_notes(tmp_path / "t.parquet"))
    assert [(note.id, note.text) for note in notes] == [("1", "a"), ("2", "")]
    # Rows of JSON have fields of their own, so that a missing id may be a mistake.
    (tmp_path / "t.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(DataError, match=r"id: missing\. The fields are text\. Name that of the id"):
        list(read_notes(tmp_path / "t.jsonl"))


def test_coded_notes_are_read_as_notes(tmp_path: Path) -> None:
    gold = CodedNote(id="a", text="Asthma.", origin="public", codes=[AssignedCode(code="J45.909")])
    write_rows(tmp_path / "gold.jsonl", [gold])
    assert list(read_notes(tmp_path / "gold.jsonl")) == [gold.note]
    assert NoteSource((tmp_path / "gold.jsonl",)).remarks() == []


def test_kept_metadata_survives_another_run(tmp_path: Path) -> None:
    note = CodedNote(id="a", text="x", metadata={"ward": 3, "seen": ["a"]})
    write_rows(tmp_path / "n.jsonl", [note])
    (again,) = read_notes(tmp_path / "n.jsonl", columns=NoteColumns(keep=True))
    assert again.metadata == note.metadata
    assert [n.metadata for n in read_notes(tmp_path / "n.jsonl")] == [{}]


@pytest.mark.parametrize("value", [True, 1.5, ["a"], {"a": 1}])
def test_an_id_is_a_string_or_an_integer(tmp_path: Path, value: object) -> None:
    (tmp_path / "n.jsonl").write_text(json.dumps({"id": value, "text": SECRET}))
    with pytest.raises(DataError, match=r":1: id: Input should be a valid string") as error:
        list(read_notes(tmp_path / "n.jsonl"))
    assert SECRET not in str(error.value)


def test_folders_are_read_with_the_folders_below_them(tmp_path: Path) -> None:
    for name in (
        "b.txt",
        "a/b.TXT",
        "a/c.txt",
        "a/scan.pdf",
        "gold.jsonl",
        ".hidden.txt",
        ".h/x.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [note.id for note in read_notes(tmp_path)] == ["a/b", "a/c", "b"]
    (remark,) = NoteSource((tmp_path,)).remarks()
    assert remark == (
        f"{tmp_path}: not read: 1 .jsonl, 1 .pdf. Only the .txt files of a folder are."
    )
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "x.csv").write_text("id,text\n")
    with pytest.raises(DataError, match=r"contains no \.txt file\. not read: 1 \.csv"):
        list(read_notes(tmp_path / "only"))


def test_several_paths_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "n.jsonl").write_text('{"id": "b", "text": "x"}\n')
    (tmp_path / "b.txt").write_text("y")
    (tmp_path / "a.txt").write_text("z")
    paths = [tmp_path / name for name in ("n.jsonl", "a.txt")]
    assert [note.id for note in read_notes(*paths)] == ["b", "a"]
    with pytest.raises(DataError, match=r"b\.txt: id: 'b' occurs twice"):
        list(read_notes(*paths, tmp_path / "b.txt"))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.pdf", "it is a PDF. Extract its text"),
        ("a.DOCX", "it is a document of Word"),
        ("a.jpeg", "it is a picture"),
        ("a.xlsx", "Save its sheet as CSV"),
        ("a.json", "to_json(orient='records', lines=True)"),
        ("a.txt.gz", "it is compressed"),
        ("a.dat", "its suffix is not that of notes"),
    ],
)
def test_other_files_are_refused_with_what_to_do(tmp_path: Path, name: str, remedy: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(DataError) as error:
        list(read_notes(tmp_path / name))
    assert remedy in str(error.value)
    assert "Notes are read from .txt, .jsonl, .csv, .tsv or .parquet files" in str(error.value)


@pytest.mark.parametrize(
    ("content", "columns", "expected"),
    [
        (b"Asthma.\nCough.", None, [("stdin", "Asthma.\nCough.")]),
        (
            b'\xef\xbb\xbf{"id": 1, "text": "x"}\n{"id": "b", "text": "y"}',
            None,
            [("1", "x"), ("b", "y")],
        ),
        (b"id,note\n3,x\n", NoteColumns("note"), [("3", "x")]),
        (b"{no JSON}", None, [("stdin", "{no JSON}")]),
        (b"", None, [("stdin", "")]),
    ],
)
def test_the_content_of_a_stream_decides_what_it_is(
    content: bytes, columns: NoteColumns | None, expected: list[tuple[str, str]]
) -> None:
    stream = io.BytesIO(content)
    notes = read_stream(stream, columns or NoteColumns(), "standard input", "stdin")
    assert [(note.id, note.text) for note in notes] == expected


def test_a_table_without_the_named_column_is_refused() -> None:
    with pytest.raises(DataError, match=r"standard input: note: missing\. The fields are id, text"):
        read_stream(io.BytesIO(b"id,text\n"), COLUMNS, "standard input", "stdin")


def test_names_that_may_be_text_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"7,{SECRET}\n8,x\n")
    with pytest.raises(DataError, match="The fields are 2 that are not shown") as error:
        list(read_notes(tmp_path / "t.csv"))
    assert SECRET not in str(error.value)


def test_a_source_can_be_sent_to_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = NoteSource((Path("a.csv"), Path("b")), COLUMNS)
    assert pickle.loads(pickle.dumps(source)) == source
    assert source.resolved().paths == (tmp_path / "a.csv", tmp_path / "b")


@pytest.mark.parametrize("first", [b'{"id": "a", "text": "Ast\n', b'  {"id"\n', b"{\n"])
def test_a_damaged_first_line_is_no_text(first: bytes) -> None:
    stream = io.BytesIO(first + b'{"id": "b", "text": "Cough."}\n')
    with pytest.raises(DataError, match=r"standard input:1: not JSON"):
        list(read_stream(stream, NoteColumns(), "standard input", "stdin"))
