"""A folder with the files of a newcomer, and a way to run commands in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.jsonl import write_rows
from tests.commands import run

ROWS = [
    {"note_id": 1, "age": 64, "note": "Acute systolic heart failure."},
    {"note_id": 2, "age": None, "note": "Asthma, no pneumonia."},
]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a command.

    Attributes:
        code: Exit code.
        out: Text on standard output.
        err: Text on standard error.
    """

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Lines of standard output as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


class Desk:
    """Runs commands in this process, in a folder with the files of a newcomer.

    Args:
        folder: Empty folder.
        monkeypatch: Fixture that restores the working directory.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.chdir(folder)
        self._write_files()

    def run(self, command: str | list[str], stdin: bytes = b"") -> Outcome:
        """Run a command, which is given without the name of the program."""
        words = command.split() if isinstance(command, str) else command
        done = run(*words, stdin=stdin)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _write_files(self) -> None:
        folder = self.folder
        (folder / "note.txt").write_text("Acute systolic heart failure. No pneumonia.")
        (folder / "empty.txt").write_text("")
        (folder / "latin.txt").write_bytes("Ménière".encode("latin-1"))
        (folder / "ward").mkdir()
        (folder / "ward" / "a.txt").write_text("Asthma.")
        (folder / "ward" / "older").mkdir()
        (folder / "ward" / "older" / "a.txt").write_text("Cough.")
        (folder / "ward" / "scan.pdf").write_bytes(b"%PDF-1.7")
        (folder / "nothing").mkdir()
        for name in (
            "scan.pdf",
            "letter.docx",
            "scan.png",
            "notes.xlsx",
            "notes.json",
            "notes.csv.gz",
        ):
            (folder / name).write_bytes(b"\0")
        text = 'note_id,age,note\n1,64,Acute systolic heart failure.\n2,,"Asthma, no pneumonia."\n'
        (folder / "notes.csv").write_text(text)
        (folder / "notes.tsv").write_text("note_id\tnote\n1\tAsthma, no pneumonia.\n")
        (folder / "excel.csv").write_text("\ufeff" + "note_id;note\n1;Asthma, stable.\n")
        (folder / "pandas.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), folder / "pandas.parquet")
        gold = [
            CodedNote(id="1", text="Asthma.", codes=[AssignedCode(code="J45.909")]),
            CodedNote(id="2", text="Cough.", codes=[AssignedCode(code="R05.9")]),
        ]
        write_rows(folder / "gold.jsonl", gold)
        wrong = gold[0].model_copy(update={"codes": [AssignedCode(code="ZZZ.99")]})
        write_rows(folder / "wrong.jsonl", [wrong])
        write_rows(folder / "others.jsonl", [gold[0].model_copy(update={"id": "9"})])
