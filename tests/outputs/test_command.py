from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import pytest

from tests.commands import CCLEARN, fails, one_line, run

NOTE = b"Admitted with pneumonia.\nType 2 diabetes mellitus.\n"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    (tmp_path / "visit.txt").write_bytes(NOTE)
    return tmp_path / "visit.txt"


@pytest.mark.slow
def test_the_ending_says_the_format(note: Path, tmp_path: Path) -> None:
    for name in ("coded.tsv", "coded.html", "coded.ndjson", "coded.jsonl"):
        done = run("code", note, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "1 note coded with lexicon" in done.stderr.decode()
    with (tmp_path / "coded.tsv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, dialect="excel-tab"))
    assert [(row["note_id"], row["code"], row["quote"]) for row in rows] == [
        ("visit", "J18.9", "pneumonia"),
        ("visit", "E11.9", "Type 2 diabetes mellitus"),
    ]
    assert json.loads((tmp_path / "coded.ndjson").read_text())["resourceType"] == "Bundle"
    assert (tmp_path / "coded.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "coded.jsonl").read_text())["id"] == "visit"


def test_the_second_of_two_runs_into_one_file_leaves_that_of_the_first(
    note: Path, tmp_path: Path
) -> None:
    out = tmp_path / "coded.jsonl"
    command = [*CCLEARN, "code", "-", "--out", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as second:
        assert second.stdin is not None
        assert second.stderr is not None
        # More than a pipe holds: this returns when the process has checked its output and reads.
        second.stdin.write(b"Pneumonia.\n" * 20_000)
        second.stdin.flush()
        assert run("code", note, "--out", out).returncode == 0
        first = out.read_bytes()
        second.stdin.close()
        said = second.stderr.read().decode()
    assert second.returncode == 2
    assert "it exists already" in one_line(said)
    assert out.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coded.jsonl", "visit.txt"]


def test_a_named_format_goes_to_standard_output(note: Path, tmp_path: Path) -> None:
    done = run("code", note, "--format", "tsv")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode()), dialect="excel-tab"))
    assert [row["code"] for row in rows] == ["J18.9", "E11.9"]
    assert run("code", note, "--format", "codiesp-d").stdout == b"visit\tj18.9\nvisit\te11.9\n"
    out = tmp_path / "9-ICD-10.json"
    assert run("code", note, "--format", "mdace", "--out", out).returncode == 0
    assert json.loads(out.read_text())["hadm_id"] == 9


def test_what_cannot_be_written_is_told_before_anything_is_coded(note: Path) -> None:
    message = one_line(fails("code", note, "--out", note.with_suffix(".tvs")))
    assert "Did you mean '.tsv'?" in message
    assert "an export is a file" in one_line(fails("export", note, "--out", "-"))
    assert "it is an input" in one_line(fails("code", note, "--out", note, "--overwrite"))
    assert "Did you mean 'html'?" in one_line(fails("code", note, "--format", "htm"))
    assert "MDACE" in one_line(fails("code", note, "--format", "mdace"))
    assert list(note.parent.iterdir()) == [note]
