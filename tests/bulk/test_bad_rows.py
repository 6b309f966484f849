"""Rows whose ids or file names cannot be written as UTF-8, or are hostile, stop no corpus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from cclearn.bulk import BulkOptions, code_corpus
from cclearn.bulk.folder import read_coded
from cclearn.coding.settings import CoderSettings
from cclearn.errors import DataError
from cclearn.notes.inputs import read_notes

TEXT = "Pneumonia."


def jsonl_corpus(folder: Path) -> Path:
    """Write 6 rows: of the ones numbered 2, 4 and 6, a surrogate is in the id, the text, a field."""
    lines = [
        '{"id": "a", "text": "Pneumonia."}',
        '{"id": "b\\ud800", "text": "Pneumonia."}',
        '{"id": "c", "text": "Pneumonia."}',
        '{"id": "d", "text": "\\udfff Pneumonia."}',
        '{"id": "e", "text": "Pneumonia."}',
        '{"id": "f", "text": "Pneumonia.", "origin": "\\ud800"}',
    ]
    path = folder / "notes.jsonl"
    path.write_text("\n".join(lines))
    return path


def parquet_corpus(folder: Path) -> Path:
    def strings(*values: bytes) -> pyarrow.Array:
        return pyarrow.array(values, pyarrow.binary()).view(pyarrow.string())

    good = TEXT.encode()
    columns = {
        "id": strings(b"a", b"b\xed\xa0\x80", b"c", b"d", b"e", b"f"),
        "text": strings(good, good, good, b"\xff" + good, good, good),
        "origin": strings(*[b"public"] * 5, b"\xff"),
    }
    path = folder / "notes.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    return path


def folder_corpus(folder: Path) -> Path:
    path = folder / "texts"
    path.mkdir()
    for name in (b"a", b"b\xff", b"c", b"d\xed\xa0\x80", b"e"):
        Path(os.fsdecode(bytes(path) + b"/" + name + b".txt")).write_text(TEXT)
    (path / "f.txt").write_bytes(b"\xff")
    return path


CORPORA = {
    "jsonl": (jsonl_corpus, ["b\\ud800", "d", "f"]),
    "parquet": (parquet_corpus, ["b\\xed\\xa0\\x80", "d", "f"]),
    "folder": (folder_corpus, ["b\\udcff.txt", "d\\udced\\udca0\\udc80.txt", "f.txt"]),
}


@pytest.mark.parametrize("kind", CORPORA)
def test_a_row_that_is_not_unicode_is_rejected_and_the_corpus_is_finished(
    tmp_path: Path, kind: str
) -> None:
    make, ids = CORPORA[kind]
    source, out = make(tmp_path), tmp_path / "out"
    options = BulkOptions(shard_size=2)
    summary = code_corpus(source, out, CoderSettings(), options)
    assert summary is not None
    assert (summary.rows, summary.notes, summary.rejected) == (6, 3, {"unreadable": 3})
    printed = "\n".join(summary.lines(out))
    assert printed.isprintable() or printed.replace("\n", "").isprintable()
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rejected] == [2, 4, 6]
    assert [row["id"] for row in rejected] == ids
    assert [note.id for note in read_coded(out)] == ["a", "c", "e"]
    again = code_corpus(source, out, CoderSettings(), options)
    assert again is not None
    assert again.pace.rows == 0


@pytest.mark.parametrize("kind", CORPORA)
def test_the_readable_rows_of_a_file_are_coded(tmp_path: Path, kind: str) -> None:
    source, out = CORPORA[kind][0](tmp_path), tmp_path / "out.jsonl"
    found: list[str] = []
    with pytest.raises(DataError) as caught:
        found.extend(note.id for note in read_notes(source))
    assert len(str(caught.value).splitlines()) == 3
    assert TEXT not in str(caught.value)
    done = subprocess.run(
        [sys.executable, "-m", "cclearn", "code", str(source), "--out", str(out)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["a", "c", "e"]


def test_hostile_ids_are_coded_and_printed_on_one_line(tmp_path: Path) -> None:
    ids = ["a\nb", "a\x00b", "\x1b[31mred", "é", "e\u0301", "x" * 2**20, "a\u2028b", "\x1b[31mred"]
    path, out = tmp_path / "notes.jsonl", tmp_path / "out"
    path.write_text(
        "".join(json.dumps({"id": identifier, "text": TEXT}) + "\n" for identifier in ids)
    )
    with path.open("a") as stream:
        stream.write(json.dumps({"id": "y" * 2**20}) + "\n")
    summary = code_corpus(path, out, CoderSettings(), BulkOptions(shard_size=3))
    assert summary is not None
    assert (summary.notes, summary.rejected) == (7, {"repeated": 1, "unreadable": 1})
    assert [note.id for note in read_coded(out)] == ids[:7]
    printed = "\n".join(summary.lines(out))
    assert "\x1b" not in printed
    assert len(printed) < 1_000
    # All rows of a kind are on a line of their own, whatever their ids hold.
    assert len((out / "rejected.jsonl").read_bytes().splitlines()) == 2


def test_hostile_file_names_are_printed_on_one_line(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    name = "a\nb\x1b[31m.txt"
    (texts / name).write_bytes(b"\xff")
    (texts / "good.txt").write_text(TEXT)
    with pytest.raises(DataError) as caught:
        list(read_notes(texts))
    assert str(caught.value).isprintable()
    assert "a\\nb\\x1b[31m.txt: not UTF-8" in str(caught.value)
    summary = code_corpus(texts, tmp_path / "out", CoderSettings())
    assert summary is not None
    assert (summary.notes, summary.rejected) == (1, {"unreadable": 1})
    (row,) = (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(row)["id"] == name
