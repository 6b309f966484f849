"""Excludes notes: which codes are not assigned together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cclearn.codes.references import CodeIndex, Reference, references
from cclearn.codes.system import CodeSystem


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An Excludes note.

    Attributes:
        text: Text of the note.
        at: Code, block or chapter that the note belongs to.
        references: Codes that the note names, empty if it names none.
    """

    text: str
    at: str
    references: tuple[Reference, ...]


def excludes(
    system: CodeSystem, code: str, kind: Literal["excludes1", "excludes2"] = "excludes1"
) -> list[Exclusion]:
    """Return the Excludes notes that apply to a code: its notes, then those inherited from above.

    Args:
        system: Code system.
        code: Code in any spelling.
        kind: Kind of the notes.

    Raises:
        UnknownCodeError: The release does not contain the code.
    """
    return list(_excludes(system, code, kind))


@lru_cache(maxsize=1 << 14)
def _excludes(
    system: CodeSystem, code: str, kind: Literal["excludes1", "excludes2"]
) -> tuple[Exclusion, ...]:
    return tuple(
        Exclusion(text, at, tuple(references(text))) for text, at in system.notes(code, kind)
    )


def conflict(system: CodeSystem, code: str, other: str) -> Exclusion | None:
    """Return the Excludes1 note that forbids to assign two codes together, None if there is none.

    Only notes that name codes are considered. The exception for unrelated conditions (Official
    Guidelines, I.A.12.a) is left to the coder.

    Args:
        system: Code system.
        code: First code.
        other: Second code.

    Raises:
        UnknownCodeError: The release does not contain one of the codes.
    """
    for one, two in ((code, other), (other, code)):
        canonical = system.canonical(two)
        for note in _excludes(system, one, "excludes1"):
            if any(reference.covers(canonical) for reference in note.references):
                return note
    return None


def conflicts(system: CodeSystem, codes: Collection[str]) -> Iterator[tuple[str, str, Exclusion]]:
    """Yield each pair of codes that must not be assigned together, in order, with the Excludes1 note.

    Args:
        system: Code system.
        codes: Codes in the official form.

    Raises:
        UnknownCodeError: The release does not contain one of the codes.
    """
    index = CodeIndex(codes)
    pairs = {
        (min(code, other), max(code, other))
        for code in set(codes)
        for note in _excludes(system, code, "excludes1")
        for reference in note.references
        for other in index.covered_by(reference)
        if other != code
    }
    for one, two in sorted(pairs):
        found = conflict(system, one, two)
        if found is not None:
            yield one, two, found
