"""Building coded notes from annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.evaluation.corpora.base import UnusableRow
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.contract import Origin

Annotation = tuple[str, int | None, int | None]
"""A code, and start and end of its evidence; None if it has no evidence."""


def note_rows(
    path: object,
    identifier: str,
    text: str,
    annotations: Iterable[Annotation],
    system: CodeSystem,
    origin: Origin = "restricted",
    line: int | None = None,
    metadata: dict[str, Any] | None = None,
) -> Iterator[CodedNote | UnusableRow]:
    """Yield a row for each annotation that cannot be used, and the coded note of the others.

    Args:
        path: Path of the file, for the rows that cannot be used.
        identifier: Id of the note.
        text: Text of the note, unedited.
        annotations: Annotations in any order. A code may have several.
        system: The code system, which provides spelling, description and status of the codes. Codes that
            it does not contain are kept.
        origin: Origin of the text.
        line: Number of the note's line in the file; None if it is not one line.
        metadata: Further fields of the note.
    """
    if not identifier.strip():
        yield UnusableRow(path, "the note has no id", line)
        return
    spans: dict[str, set[tuple[int, int]]] = {}
    for code, start, end in annotations:
        if not code.strip():
            yield UnusableRow(path, "a code is empty", line, identifier)
        elif start is None or end is None:
            spans.setdefault(system.canonical(code), set())
        elif 0 <= start < end <= len(text):
            spans.setdefault(system.canonical(code), set()).add((start, end))
        else:
            problem, where = "the evidence is outside the text", f"{start}:{end}"
            yield UnusableRow(path, problem, line, identifier, code, where)
    yield CodedNote(
        id=identifier,
        text=text,
        origin=origin,
        metadata=metadata or {},
        codes=[
            AssignedCode(
                code=code,
                system=system.name,
                description=system.description(code) if code in system else "",
                evidence=[Evidence(start=s, end=e, text=text[s:e]) for s, e in sorted(found)],
                status=system.status(code),
            )
            for code, found in spans.items()
        ],
    )
