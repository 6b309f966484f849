"""Notes of random sentences, which share nothing but a common phrase."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from cclearn.audit.inputs import NoteSet
from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.jsonl import write_rows

LETTERS = "bcdfghklmnprst"

BOILERPLATE = (
    "The patient was informed about the procedure and its risks, and gave consent in writing before"
    " the examination; all questions were answered, and a leaflet was handed out. "
)
"""A sentence of 26 words, as it may be in every note of a hospital."""


def random_text(seed: int | str, words: int = 80, with_boilerplate: bool = False) -> str:
    """Return sentences of random words."""
    rng = random.Random(f"text {seed}")
    found = [
        "".join(rng.choice(LETTERS) + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))
        for _ in range(words)
    ]
    sentences = [" ".join(found[i : i + 8]).capitalize() for i in range(0, words, 8)]
    return (BOILERPLATE if with_boilerplate else "") + ". ".join(sentences) + "."


def changed(text: str, every: int) -> str:
    """Return a text in which every n-th word is another one."""
    words = text.split()
    return " ".join(f"other{n}" if n % every == 1 else word for n, word in enumerate(words))


def note(identifier: str, text: str, *labels: tuple[str, str]) -> CodedNote:
    """Return a note with labels: pairs of a code and its quote, which may be empty."""
    codes = []
    for code, quote in labels:
        start = text.index(quote)
        evidence = [Evidence(start=start, end=start + len(quote), text=quote)] if quote else []
        codes.append(AssignedCode(code=code, evidence=evidence))
    return CodedNote(id=identifier, text=text, codes=codes)


def note_set(path: Path, notes: Iterable[CodedNote | str], system: CodeSystem) -> NoteSet:
    """Write notes to a file, and return them. A text becomes a note with its number as the id."""
    rows = [
        CodedNote(id=f"{path.stem}-{number}", text=row) if isinstance(row, str) else row
        for number, row in enumerate(notes)
    ]
    write_rows(path, rows)
    return NoteSet.find(path, system)
