"""Building coded notes from annotations."""

from __future__ import annotations

from collections.abc import Iterable

from cclearn.codes import CodeSystem
from cclearn.errors import shown_id
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.contract import Origin

Annotation = tuple[str, int | None, int | None]
"""A code, and start and end of its evidence; None if it has no evidence."""


def coded_note(
    identifier: str,
    text: str,
    annotations: Iterable[Annotation],
    system: CodeSystem,
    origin: Origin = "restricted",
) -> CodedNote:
    """Return a coded note for annotations.

    Args:
        identifier: Id of the note.
        text: Text of the note, unedited.
        annotations: Annotations in any order. A code may have several.
        system: The code system, which provides spelling, description and status of the codes. Codes that
            it does not contain are kept.
        origin: Origin of the text.

    Raises:
        ValueError: The note has no id, a code is empty, or evidence is outside the text.
    """
    if not identifier:
        raise ValueError("a note has no id")
    spans: dict[str, set[tuple[int, int]]] = {}
    for code, start, end in annotations:
        if not code.strip():
            raise ValueError("a code is empty")
        found = spans.setdefault(system.canonical(code), set())
        if start is not None and end is not None:
            if not 0 <= start < end <= len(text):
                raise ValueError(
                    f"evidence of {shown_id(code)} at {start}:{end} is outside the text"
                )
            found.add((start, end))
    return CodedNote(
        id=identifier,
        text=text,
        origin=origin,
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
