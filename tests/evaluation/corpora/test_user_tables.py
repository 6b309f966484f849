from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from cclearn.evaluation.corpora import UnusableRow, find_corpus, options_of
from cclearn.evaluation.corpora.tables import Table, as_text
from cclearn.notes import CodedNote

NOTES = 'note_id,pat,body,icd\nA,1,"Heart failure,\nacute.",I50.9; i10\nB,2,Asthma. ,J45.909\n'


def read(
    path: Path, system: CodeSystem, split: str = "all", **settings: object
) -> tuple[dict[str, list[str]], list[tuple[str, str, str]]]:
    """Return the codes of each note, and the note, code and problem of each row that has none."""
    corpus = find_corpus("table")
    rows = list(corpus.rows(path, split, options_of(corpus, settings), system))
    notes = [row for row in rows if isinstance(row, CodedNote)]
    unusable = [row for row in rows if isinstance(row, UnusableRow)]
    assert all(note.origin == "restricted" for note in notes)
    return (
        {note.id: [a.code for a in note.codes] for note in notes},
        [(row.note, row.code, row.problem) for row in unusable],
    )


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


COLUMNS = {"id": "note_id", "text": "body", "codes": "icd"}
EXPECTED = {"A": ["I50.9", "I10"], "B": ["J45.909"]}


def test_columns_may_have_any_name(tmp_path: Path, system: CodeSystem) -> None:
    path = write(tmp_path, "notes.csv", NOTES)
    assert read(path, system, **COLUMNS) == (EXPECTED, [])
    corpus = find_corpus("table")
    first, second = corpus.read(
        path, "all", options_of(corpus, {**COLUMNS, "patient": "PAT"}), system
    )
    assert (first.text, second.text) == ("Heart failure,\nacute.", "Asthma. ")
    assert first.metadata == {"patient": "1"}
    assert first.codes[0].description == "Heart failure, unspecified"


def test_a_missing_column_has_a_suggestion(tmp_path: Path, system: CodeSystem) -> None:
    path = write(tmp_path, "notes.csv", NOTES)
    for name, wrong, right in (
        ("id", "noteid", "note_id"),
        ("text", "bodi", "body"),
        ("codes", "icd10", "icd"),
    ):
        with pytest.raises(DataError) as error:
            read(path, system, **{**COLUMNS, name: wrong})
        assert f"there is no column '{wrong}' ({name}={wrong})." in str(error.value)
        assert f"Did you mean '{right}'? The columns are: note_id, pat, body, icd." in str(
            error.value
        )
    with pytest.raises(DataError, match=r"no column matches 'dx\*'"):
        read(path, system, **{**COLUMNS, "codes": "dx*"})
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.csv", system)
    with pytest.raises(DataError, match="not a table"):
        read(write(tmp_path, "notes.doc", ""), system)


def test_every_format_of_tables_is_read(tmp_path: Path, system: CodeSystem) -> None:
    import datasets
    import pyarrow as pa
    from pyarrow import parquet

    rows = [
        {"note_id": "A", "body": "Heart failure,\nacute.", "icd": ["I50.9", "I10"]},
        {"note_id": "B", "body": "Asthma.", "icd": ["J45.909"]},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "notes.parquet")
    (tmp_path / "notes.csv.gz").write_bytes(gzip.compress(NOTES.encode()))
    paths = [
        write(tmp_path, "notes.jsonl", lines),
        write(tmp_path, "notes.tsv", NOTES.replace(",", "\t").replace("failure\t", "failure,")),
        tmp_path / "notes.csv.gz",
        tmp_path / "notes.parquet",
        tmp_path / "dataset",
    ]
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "dataset"))
    for path in paths:
        assert read(path, system, **COLUMNS) == (EXPECTED, []), path.name
    parts = {"train": datasets.Dataset.from_list(rows[:1]), "dev": rows[1:]}
    parts["dev"] = datasets.Dataset.from_list(rows[1:])
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "parts"))
    assert read(tmp_path / "parts", system, "dev", **COLUMNS)[0] == {"B": ["J45.909"]}
    assert read(tmp_path / "parts", system, **COLUMNS)[0] == EXPECTED
    with pytest.raises(DataError, match="no split 'test'; there are: dev, train"):
        read(tmp_path / "parts", system, "test", **COLUMNS)
    with pytest.raises(DataError, match="not a folder of `datasets`"):
        read(tmp_path, system, **COLUMNS)


def test_codes_are_in_several_columns_or_rows(tmp_path: Path, system: CodeSystem) -> None:
    wide = write(
        tmp_path, "wide.csv", "id,text,dx1,dx2,other\n1,Sick.,I10,,x\n2,Ill.,E11.9,I10,y\n"
    )
    expected = {"1": ["I10"], "2": ["E11.9", "I10"]}
    assert read(wide, system, codes="DX*") == (expected, [])
    assert read(wide, system, codes=["dx1", "dx2"]) == (expected, [])
    long = write(tmp_path, "long.csv", "id,text,codes\n1,Sick.,I10\n2,Ill.,E11.9\n2,Ill.,I10\n")
    assert read(long, system) == (expected, [])


def test_codes_are_in_another_table(tmp_path: Path, system: CodeSystem) -> None:
    notes = write(tmp_path, "notes.csv", "id,text\n1,Sick.\n2,Ill.\n3,Well.\n")
    # pandas writes whole numbers of a column with missing values as 1.0, but not as text.
    codes = write(tmp_path, "codes.csv", "visit,icd\n2,E11.9\n1,I10\n2,I10\n9,I10\n,I10\n")
    settings = {"codes_file": codes, "codes_id": "visit", "codes": "icd"}
    found, unusable = read(notes, system, **settings)
    assert found == {"1": ["I10"], "2": ["E11.9", "I10"], "3": []}
    assert unusable == [
        ("", "", "the code has no id of a note"),
        ("9", "I10", "there is no note of this id"),
    ]
    other = write(tmp_path, "other.csv", "visit,icd\n8,I10\n")
    with pytest.raises(DataError, match=r"none of its ids is in notes\.csv"):
        read(notes, system, **{**settings, "codes_file": other})


def test_rows_of_another_classification_are_not_read(tmp_path: Path, system: CodeSystem) -> None:
    notes = write(tmp_path, "notes.csv", "id,text\n1,Sick.\n")
    codes = write(tmp_path, "codes.csv", "id,icd_code,icd_version\n1,4019,9\n1,I10,10\n")
    settings = {"codes_file": codes, "codes": "icd_code"}
    with pytest.raises(
        ConfigurationError, match=r"Choose the rows, e\.g\. 'where=\{icd_version: 10"
    ):
        read(notes, system, **settings)
    assert read(notes, system, **settings, where={"ICD_version": "10"}) == ({"1": ["I10"]}, [])


def test_splits_are_read_from_a_table(tmp_path: Path, system: CodeSystem) -> None:
    path = write(tmp_path, "notes.csv", NOTES)
    splits = write(tmp_path, "splits.csv", "note_id,split\nA,train\nB,dev\n")
    assert read(path, system, "dev", **COLUMNS, splits=splits)[0] == {"B": ["J45.909"]}
    with pytest.raises(DataError, match="no split 'test'; there are: dev, train"):
        read(path, system, "test", **COLUMNS, splits=splits)


def test_rows_that_cannot_be_used_do_not_change_the_others(
    tmp_path: Path, system: CodeSystem
) -> None:
    path = tmp_path / "notes.csv"
    path.write_bytes(
        b"id,text,codes\n"
        b"1,Sick.,I10\n"
        b"2,,I10\n"  # no text
        b"1,Other.,I10\n"  # an id twice
        b"3,Ill.\n"  # too few values
        b",Ill.,I10\n"  # no id
        b"4,Gone\xff,I10\n"  # not UTF-8
        b"5,Ill.,hypertension I10 [E11.9]\n"
        b"6,Ill.,I10\n"
        b"6,Else.,E11.9\n"
        b'7,"Open,I10\n'
    )
    found, unusable = read(path, system)
    assert found == {"1": ["I10"], "5": ["I10", "E11.9"], "6": ["I10"]}
    unreadable = ("", "", "the row cannot be read")
    assert unusable == [
        ("2", "", "the note has no text"),
        ("1", "", "the id occurs twice, and not in rows that follow each other"),
        unreadable,
        ("", "", "the note has no id"),
        unreadable,
        ("5", "hypertension", "not a code"),
        ("6", "", "the text differs from that of the id's first row"),
        unreadable,
    ]
    corpus = find_corpus("table")
    with pytest.raises(DataError) as error:
        list(corpus.read(path, "all", options_of(corpus, {}), system))
    assert "Gone" not in str(error.value)


def test_codes_that_were_read_as_numbers_are_rejected(tmp_path: Path, system: CodeSystem) -> None:
    path = write(tmp_path, "notes.jsonl", '{"id": 1, "text": "Ill.", "codes": [428.0, "I10"]}\n')
    assert read(path, system) == (
        {"1": ["I10"]},
        [("1", "428.0", "a number, whose zeros may be lost: give codes as text")],
    )


@given(st.integers(-(10**15), 10**15))
def test_a_whole_number_is_the_same_id_in_every_column(number: int) -> None:
    assert as_text(number) == as_text(float(number)) == as_text(f" {number} ") == str(number)
    assert as_text(None) == as_text(float("nan")) == ""


def test_the_names_of_an_empty_table_are_empty(tmp_path: Path) -> None:
    assert Table(write(tmp_path, "empty.jsonl", "")).names() == []
