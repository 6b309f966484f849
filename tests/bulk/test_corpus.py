from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from cclearn.bulk.corpora import open_corpus
from cclearn.bulk.corpus import BulkCorpus, CorpusRow
from cclearn.errors import CclearnError, DataError
from cclearn.notes import Note
from cclearn.notes.inputs import NoteSource, read_notes
from cclearn.notes.jsonl import write_rows
from cclearn.notes.parquet import jsonl_to_parquet
from tests.bulk.corpora import text, write_jsonl

MISSING = (
    "missing. The fields are id. Name that of the text with --text-column (in Python: NoteColumns)."
)


def rows(corpus: BulkCorpus, size: int) -> list[CorpusRow]:
    return [row for shard in corpus.survey(size).shards for row in corpus.read(shard)]


def notes(corpus: BulkCorpus, size: int) -> list[Note]:
    found = rows(corpus, size)
    assert all(row.problem is None for row in found)
    return [row.note for row in found if row.note is not None]


def change(path: Path) -> None:
    """Change the seventh note of a corpus."""
    if path.is_dir():
        (path / "n06.txt").unlink()
    elif path.suffix == ".parquet":
        table = parquet.read_table(path)
        parquet.write_table(table.drop_columns("origin"), path)
    else:
        path.write_bytes(path.read_bytes().replace(b"n6", b"m6"))


@pytest.fixture
def corpora(tmp_path: Path) -> list[Path]:
    """One corpus as JSONL, as Parquet, as a folder and as CSV; twelve notes."""
    source = write_jsonl(tmp_path / "notes.jsonl", 12)
    whole = tmp_path / "whole.jsonl"
    write_rows(whole, read_notes(source))
    jsonl_to_parquet(whole, tmp_path / "notes.parquet", Note)
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(12):
        (folder / f"n{number:02}.txt").write_bytes(text(number).encode())
    table = tmp_path / "notes.csv"
    with table.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "ward", "text"])
        writer.writerows([f"n{number}", "w", text(number)] for number in range(12))
    return [source, tmp_path / "notes.parquet", folder, table]


@pytest.mark.parametrize("size", [1, 5, 12, 100])
def test_every_kind_of_corpus_is_read_in_shards(corpora: list[Path], size: int) -> None:
    for path in corpora:
        corpus = open_corpus(NoteSource((path,)))
        survey = corpus.survey(size)
        assert [shard.number for shard in survey.shards] == list(range(-(-12 // size)))
        assert survey.rows == 12
        assert [shard.rows for shard in survey.shards][:-1] == [size] * (len(survey.shards) - 1)
        assert [note.text for note in notes(corpus, size)] == [text(n) for n in range(12)]


def test_shards_are_read_in_any_order_by_any_process(corpora: list[Path]) -> None:
    for path in corpora:
        shards = open_corpus(NoteSource((path,))).survey(5).shards
        another = open_corpus(NoteSource((path,)))
        for number in (2, 0, 1, 1):
            read = [row.note.text for row in another.read(shards[number]) if row.note is not None]
            assert read == [text(n) for n in range(12)[5 * number : 5 * number + 5]]


def test_the_hash_of_a_corpus_does_not_depend_on_its_shards(corpora: list[Path]) -> None:
    for path in corpora:
        hashes = {open_corpus(NoteSource((path,))).survey(size).sha256 for size in (1, 5, 100)}
        assert len(hashes) == 1
        before = hashes.pop()
        change(path)
        assert open_corpus(NoteSource((path,))).survey(5).sha256 != before


def test_a_corpus_that_changes_is_refused(corpora: list[Path]) -> None:
    for path in corpora:
        shards = open_corpus(NoteSource((path,))).survey(5).shards
        change(path)
        with pytest.raises(CclearnError, match="it has changed since the run began"):
            list(open_corpus(NoteSource((path,))).read(shards[1]))


def test_rows_that_cannot_be_read_have_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    good = json.dumps({"id": "a", "text": "Pneumonia."})
    lines = [good, "", '{"id": "b"}', good, '{"id": "c", "text": "cut o']
    path.write_bytes("\n".join(lines).encode() + b"\xff")
    found = rows(open_corpus(NoteSource((path,))), 2)
    assert [(row.number, row.problem) for row in found] == [
        (1, None),
        (3, f"text: {MISSING}"),
        (4, "id: an earlier row has the same id"),
        (5, "not UTF-8 at byte 26. Convert it first."),
    ]
    assert [row.note is None for row in found] == [False, True, False, True]
    assert [row.id for row in found] == ["a", "b", "a", None]
    assert open_corpus(NoteSource((path,))).survey(2).rows == 4


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    text = '{"id": "a", "text": "Pneumonia."}\n'
    (tmp_path / "notes.jsonl").write_text(text, encoding="utf-8-sig")
    assert [note.id for note in notes(open_corpus(NoteSource((tmp_path / "notes.jsonl",))), 2)] == [
        "a"
    ]


def test_the_id_of_an_unreadable_row_may_occur_again(tmp_path: Path) -> None:
    rows_of = ('{"id": "a"}', '{"id": "a", "text": "x"}', '{"id": "a", "text": "y"}')
    (tmp_path / "notes.jsonl").write_text("\n".join(rows_of))
    found = rows(open_corpus(NoteSource((tmp_path / "notes.jsonl",))), 10)
    assert [row.problem for row in found] == [
        f"text: {MISSING}",
        None,
        "id: an earlier row has the same id",
    ]


def test_a_file_that_is_not_text_is_an_unreadable_row(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff")
    (tmp_path / "b.txt").write_text("Pneumonia.")
    (tmp_path / "c.txt").symlink_to(tmp_path / "missing")
    found = rows(open_corpus(NoteSource((tmp_path,))), 10)
    assert [row.note and row.note.id for row in found] == [None, "b", None]
    assert [row.id for row in found] == ["a.txt", "b", "c.txt"]


def test_a_corpus_without_notes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match="contains no note"):
        open_corpus(NoteSource((tmp_path / "empty.jsonl",))).survey(10)
    with pytest.raises(DataError, match=r"contains no \.txt file"):
        open_corpus(NoteSource((tmp_path,)))
    with pytest.raises(DataError, match="no such file"):
        open_corpus(NoteSource((tmp_path / "missing.jsonl",)))
    (tmp_path / "notes.pdf").write_text("id,text")
    with pytest.raises(DataError, match="it is a PDF"):
        open_corpus(NoteSource((tmp_path / "notes.pdf",)))


def test_ids_that_are_made_or_read_from_a_resource_are_compared(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [tmp_path / f"{name}.parquet" for name in "ab"]
    for path in tables:
        pq.write_table(pa.table({"text": ["HTN", "Gout"]}), path)
    content = {"attachment": {"contentType": "text/plain", "data": "SFRO"}}
    resources = [
        {
            "resourceType": "DocumentReference",
            "id": name,
            "identifier": [{"value": "N1"}],
            "content": [content],
        }
        for name in "ab"
    ]
    lines = tmp_path / "notes.ndjson"
    lines.write_text("\n".join(map(json.dumps, resources)))
    for paths, repeated in ((tables, 2), ([lines], 1)):
        problems = [row.problem for row in rows(open_corpus(NoteSource(tuple(paths))), 10)]
        assert problems.count("id: an earlier row has the same id") == repeated


def test_the_same_bytes_in_other_files_are_another_corpus(tmp_path: Path) -> None:
    one, two = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_text('{"id": "a", "text": "x"}\n')
    two.write_text('{"id": "b", "text": "x"}\n')
    (tmp_path / "both.jsonl").write_bytes(one.read_bytes() + two.read_bytes())
    apart = open_corpus(NoteSource((one, two))).survey(5)
    assert apart.sha256 != open_corpus(NoteSource((tmp_path / "both.jsonl",))).survey(5).sha256


def test_several_files_are_one_corpus(corpora: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('\n{"id": "n3", "text": "y"}\n{"id": "z", "text": "x"}\n{"id": "z"}\n')
    source = NoteSource((corpora[0], other, *sorted(corpora[2].glob("n0[0-2].txt"))))
    survey = open_corpus(source).survey(5)
    assert [(s.number, s.part, s.rows) for s in survey.shards] == [
        *((number, 0, rows) for number, rows in enumerate((5, 5, 2))),
        (3, 1, 3),
        (4, 2, 3),
    ]
    another = open_corpus(source)
    found = [row for shard in reversed(survey.shards) for row in another.read(shard)]
    assert [(row.file, row.number, row.problem) for row in found if row.problem] == [
        (str(other), 2, "id: an earlier row has the same id"),
        (str(other), 4, f"text: {MISSING}"),
    ]
    assert [row.id for row in found[:3]] == ["n00", "n01", "n02"]
    with pytest.raises(DataError, match=r"gone\.txt: no such file") as error:
        open_corpus(NoteSource((tmp_path / "gone.txt", corpora[0], tmp_path / "gone.jsonl")))
    assert len(error.value.lines) == 2


@given(
    lines=st.lists(
        st.sampled_from(
            [b"", b" ", b"{", b'{"id": "a", "text": "x"}', b'{"id": "b", "text": "\\r"}\r', b"\x85"]
        ),
        min_size=1,
        max_size=12,
    ),
    size=st.integers(1, 5),
    ends=st.booleans(),
)
def test_no_line_is_lost_or_read_twice(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int, ends: bool
) -> None:
    path = tmp_path_factory.mktemp("corpus") / "notes.jsonl"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ends else b""))
    expected = [number for number, line in enumerate(lines, start=1) if line.strip()]
    if not expected:
        return
    found = rows(open_corpus(NoteSource((path,))), size)
    assert [row.number for row in found] == expected
    ids = [row.note.id for row in found if row.note is not None and row.problem is None]
    assert len(ids) == len(set(ids))
