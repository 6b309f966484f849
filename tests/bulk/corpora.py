"""Small corpora, and a coder that calls a function of a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.coding.findings import NoteFindings
from cclearn.notes import CodedNote, Note, Origin

SENTENCES = (
    "Admitted with pneumonia.",
    "No evidence of heart failure.",
    "Type 2 diabetes mellitus.",
    "Essential hypertension is controlled.",
    "Atrial fibrillation with a rapid rate.",
)


def text(number: int) -> str:
    """Return the text of a note, which differs for each number."""
    chosen = [SENTENCES[(number + step) % len(SENTENCES)] for step in range(1 + number % 3)]
    return f"Visit {number}.\n" + "\n".join(chosen)


def write_jsonl(path: Path, count: int) -> Path:
    """Write a corpus of JSONL."""
    lines = (json.dumps({"id": f"n{number}", "text": text(number)}) for number in range(count))
    path.write_text("".join(line + "\n" for line in lines))
    return path


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the files that a run wrote, without its summary and its lock."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name not in ("summary.json", ".lock")
    }


class CallbackCoder(Coder):
    """Assigns no codes, and calls a function for each note.

    Args:
        system: Code system of the coder.
        callback: Function that returns the flags of a note, or raises an error.
    """

    def __init__(self, system: CodeSystem, callback: Callable[[Note], list[str]]) -> None:
        super().__init__("callback", system)
        self._callback = callback

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        """Return nothing for each note."""
        return (NoteFindings(note, []) for note in notes)

    def code_many(self, notes: Iterable[Note]) -> Iterator[CodedNote]:
        """Yield each note with the flags that the callback returns."""
        for note in notes:
            self.usage.prompt_tokens += 10
            yield CodedNote(id=note.id, text=note.text, flags=self._callback(note))

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Return no codes."""
        return ([] for _ in texts)
