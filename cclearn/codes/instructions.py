"""What the tabular list asks to be coded besides: "code first" and "use additional code" notes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cclearn.codes.references import Reference, references
from cclearn.codes.system import CodeSystem
from cclearn.codes.table import Kind

_CONDITION = re.compile(r"\b(?:if|where|when|any)\b")
"""Words by which a note leaves it to the case: "if applicable", "any associated"."""

_UNDERLYING = re.compile(r"(?:the )?underlying\b")
_MANIFESTATION = re.compile(r"\bin\b.*\bclassified elsewhere", re.IGNORECASE)
"""Titles of codes that "must be used in conjunction with an underlying condition code"."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """A note that asks for another code: one of those that it names.

    Attributes:
        text: The note, its items behind its heading.
        at: The code where it stands.
        references: The codes that it names; none where it is in words alone.
        required: Whether it asks without a condition.
    """

    text: str
    at: str
    references: tuple[Reference, ...]
    required: bool


@lru_cache(maxsize=1 << 14)
def instructions(
    system: CodeSystem, code: str, kind: Literal["code_first", "use_additional_code"]
) -> tuple[Instruction, ...]:
    """Return the notes of a kind that hold for a code, its own first, then those of the codes above.

    Notes of blocks and chapters are left out: they hold for thousands of codes ("exposure to tobacco
    smoke" for all of chapter 10) and would be said of most notes. A "code first" note is required where
    the title says "in … classified elsewhere" (Official Guidelines, I.A.13), or where it asks for the
    underlying condition without a condition of its own; the others hold "if known" (I.B.7).

    Raises:
        UnknownCodeError: The release does not hold the code.
    """
    places = [code, *system.ancestors(code)]
    places = [place for place in places if system[place].kind >= Kind.CATEGORY]
    manifestation = any(_MANIFESTATION.search(system.description(place)) for place in places)
    found = []
    for place in places:
        for lines in _groups([text for text, _ in system.notes(place, kind, inherited=False)]):
            required = not any(map(_CONDITION.search, lines))
            if kind == "code_first":
                asks = _UNDERLYING.match(lines[0]) is not None
                required = manifestation or (required and asks)
            head, *items = lines
            text = f"{head} {'; '.join(items)}".strip() if head.endswith(":") else "; ".join(lines)
            named = tuple(each for line in lines for each in references(line))
            found.append(Instruction(text, place, named, required))
    return tuple(found)


def _groups(lines: list[str]) -> list[list[str]]:
    """Put the items of a note behind its heading."""
    groups: list[list[str]] = []
    for line in lines:
        if not groups or line.endswith(":") or line.startswith(("code", ",")):
            groups.append([])
        groups[-1].append(line)
    return groups
