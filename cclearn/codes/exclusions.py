"""Excludes notes: what is not coded together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cclearn.codes.references import Reference, references
from cclearn.codes.system import CodeSystem


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An Excludes note.

    Attributes:
        text: The note.
        at: The code, block or chapter where it stands.
        references: The codes that it names; none where it is in words alone.
    """

    text: str
    at: str
    references: tuple[Reference, ...]


def excludes(
    system: CodeSystem, code: str, kind: Literal["excludes1", "excludes2"] = "excludes1"
) -> list[Exclusion]:
    """Return the Excludes notes that hold for a code, its own first, then those from above.

    Raises:
        UnknownCodeError: The release does not hold the code.
    """
    return [
        Exclusion(text, place, tuple(references(text))) for text, place in system.notes(code, kind)
    ]


def conflict(system: CodeSystem, code: str, other: str) -> Exclusion | None:
    """Return the Excludes1 note by which two codes are not coded together, if there is one.

    Only notes that name codes can tell; the exception for unrelated conditions (Official Guidelines,
    I.A.12.a) is left to the coder.

    Raises:
        UnknownCodeError: The release does not hold one of the codes.
    """
    for one, two in ((code, other), (other, code)):
        spelt = system.canonical(two)
        for note in excludes(system, one):
            if any(reference.covers(spelt) for reference in note.references):
                return note
    return None
