"""From annotations to coded notes."""

from __future__ import annotations

from collections.abc import Iterable

from cclearn.codes import CodeSystem
from cclearn.errors import shown_id
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.contract import Origin

Annotation = tuple[str, int | None, int | None]
"""A code, and where its evidence begins and ends; None where it has none."""


def coded_note(
    identifier: str,
    text: str,
    annotations: Iterable[Annotation],
    system: CodeSystem,
    origin: Origin = "restricted",
) -> CodedNote:
    """Make a coded note of annotations.

    Args:
        identifier: The note's.
        text: The note, as it is.
        annotations: In any order; a code may have several.
        system: Spells the codes and says what they are; a code that it does not hold is kept.
        origin: Of the text.

    Raises:
        ValueError: The note has no id, a code is empty, or evidence lies outside the text.
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
                    f"evidence of {shown_id(code)} at {start}:{end} lies outside the text"
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
