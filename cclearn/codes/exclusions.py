"""Excludes notes: what is not coded together."""

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
    return list(_excludes(system, code, kind))


@lru_cache(maxsize=1 << 14)
def _excludes(
    system: CodeSystem, code: str, kind: Literal["excludes1", "excludes2"]
) -> tuple[Exclusion, ...]:
    return tuple(
        Exclusion(text, place, tuple(references(text))) for text, place in system.notes(code, kind)
    )


def conflict(system: CodeSystem, code: str, other: str) -> Exclusion | None:
    """Return the Excludes1 note by which two codes are not coded together, if there is one.

    Only notes that name codes can tell; the exception for unrelated conditions (Official Guidelines,
    I.A.12.a) is left to the coder.

    Raises:
        UnknownCodeError: The release does not hold one of the codes.
    """
    for one, two in ((code, other), (other, code)):
        spelt = system.canonical(two)
        for note in _excludes(system, one, "excludes1"):
            if any(reference.covers(spelt) for reference in note.references):
                return note
    return None


def conflicts(system: CodeSystem, codes: Collection[str]) -> Iterator[tuple[str, str, Exclusion]]:
    """Yield the pairs of codes that are not coded together, each pair once and in order, with the note.

    Args:
        system: The code system.
        codes: In the official form.

    Raises:
        UnknownCodeError: The release does not hold one of the codes.
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
