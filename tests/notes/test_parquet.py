from __future__ import annotations

from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as arrow
from pydantic import BaseModel

from cclearn.errors import DataError
from cclearn.notes import AssignedCode, CodedNote, Evidence, Note, SpanPair
from cclearn.notes.contract import Invalid, Ungrounded
from cclearn.notes.inputs import read_notes
from cclearn.notes.jsonl import read_coded_notes, read_rows, read_span_pairs, write_rows
from cclearn.notes.parquet import ParquetReader, arrow_schema, jsonl_to_parquet, parquet_rows

PAIR = SpanPair(id="p1", text="grippe 🤒 é", code="J11.1", release="x", grade="gold", source="test")
TEXT = "İ fever\r\nand cough"
NOTES = [
    CodedNote(
        id="a",
        text=TEXT,
        codes=[
            AssignedCode(
                code="R05.9",
                score=0.25,
                evidence=[Evidence(start=13, end=18, text="cough")],
                flags=["check"],
            ),
            AssignedCode(code="R50.9", decision="review"),
        ],
        rejected=[AssignedCode(code="I10", score=0.01)],
        ungrounded=[Ungrounded(code="I10", quote="x")],
        invalid=[Invalid(code=None, status="unreadable")],
    ),
    CodedNote(id="b", text=""),
]


def converted(folder: Path, rows: list[BaseModel], row_type: type[BaseModel]) -> Path:
    write_rows(folder / "rows.jsonl", rows)
    jsonl_to_parquet(folder / "rows.jsonl", folder / "rows.parquet", row_type)
    return folder / "rows.parquet"


def test_rows_survive_the_conversion(tmp_path: Path) -> None:
    pairs = [PAIR, PAIR.model_copy(update={"id": "p2", "neighbour": "J10.1"})]
    assert list(read_span_pairs(converted(tmp_path, [*pairs], SpanPair))) == pairs
    assert list(read_coded_notes(converted(tmp_path, [*NOTES], CodedNote))) == NOTES
    plain = [note.note for note in NOTES]
    assert list(read_notes(converted(tmp_path, [*plain], Note))) == plain
    assert list(read_rows(converted(tmp_path, [], SpanPair), SpanPair)) == []


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    first = converted(tmp_path, [*NOTES], CodedNote).read_bytes()
    assert converted(tmp_path, [*NOTES], CodedNote).read_bytes() == first


@pytest.mark.parametrize("row_type", [Note, CodedNote, SpanPair])
def test_there_is_a_column_for_every_field(row_type: type[BaseModel]) -> None:
    names = [name for name in row_type.model_fields if name != "metadata"]
    assert arrow_schema(row_type).names == ["schema_version", *names]


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_rows(tmp_path / "none.parquet", Note))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"bad\.parquet: not a readable Parquet"):
        list(read_rows(tmp_path / "bad.parquet", Note))
    twice = converted(tmp_path, [PAIR, PAIR], SpanPair)
    with pytest.raises(DataError, match=r"rows\.parquet:2: id: 'p1' occurs twice"):
        list(read_span_pairs(twice))
    with pytest.raises(DataError, match=r"rows\.parquet:1: .*(missing|unknown)"):
        list(read_rows(converted(tmp_path, [PAIR], SpanPair), CodedNote))


@given(runs=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=6))
def test_ranges_of_rows_are_read_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "notes.parquet"
    arrow.write_table(pyarrow.table({"id": list(range(20))}), path, row_group_size=7)
    reader = ParquetReader(path)
    for start, end in runs:
        found = [row["id"] for row in reader.rows(start, end)]
        assert found == list(range(20))[start:end]


SECRET = "the words of a note"


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (pyarrow.array([2**60]).view(pyarrow.timestamp("ms")), "unknown field"),
        (pyarrow.array([2**62]).view(pyarrow.date64()), "unknown field"),
        (pyarrow.array([0]).view(pyarrow.timestamp("us", tz="No/Town")), "unknown field"),
        (pyarrow.array([2**62]).view(pyarrow.duration("s")), "unknown field"),
        (pyarrow.array([SECRET.encode() + b"\xff"]).view(pyarrow.string()), "unknown field"),
    ],
)
def test_an_unreadable_column_is_reported_without_its_text(
    tmp_path: Path, column: pyarrow.Array, problem: str
) -> None:
    table = pyarrow.table({"id": ["a"], "text": [SECRET], SECRET: column})
    arrow.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError) as error:
        list(read_rows(tmp_path / "x.parquet", Note))
    assert problem in str(error.value)
    assert SECRET not in str(error.value)


def test_a_time_out_of_range_rejects_its_row_alone(tmp_path: Path) -> None:
    origin = pyarrow.array([None, 2**60]).view(pyarrow.timestamp("us"))
    table = pyarrow.table({"id": ["a", "b"], "text": [SECRET] * 2, "origin": origin})
    arrow.write_table(table, tmp_path / "x.parquet")
    good, bad = parquet_rows(tmp_path / "x.parquet")
    assert (good["origin"], bad["id"]) == (None, "b")
    with pytest.raises(DataError, match=r"x\.parquet:2: origin: "):
        list(read_notes(tmp_path / "x.parquet"))


def test_damaged_files_and_duplicate_columns_are_reported(tmp_path: Path) -> None:
    twice = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 2, names=[SECRET] * 2)
    arrow.write_table(twice, tmp_path / "x.parquet")
    with pytest.raises(DataError, match="two columns have the same name"):
        list(read_notes(tmp_path / "x.parquet"))
    (tmp_path / "x.parquet").write_bytes((tmp_path / "x.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"not a readable Parquet file \(ArrowInvalid in") as error:
        list(read_notes(tmp_path / "x.parquet"))
    assert SECRET not in str(error.value)
