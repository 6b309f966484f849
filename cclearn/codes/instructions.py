"""Notes that ask for another code: "code first" and "use additional code"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.references import Reference, references
from cclearn.codes.table import Kind

_CONDITION = re.compile(r"\b(?:if|where|when|any)\b")
"""Words that make a note conditional: "if applicable", "any associated"."""

_UNDERLYING = re.compile(r"(?:the )?underlying\b")
_MANIFESTATION = re.compile(r"\bin\b.*\bclassified elsewhere", re.IGNORECASE)
"""Titles of codes that "must be used in conjunction with an underlying condition code"."""


InstructionKind = Literal["code_first", "use_additional_code"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """A note that asks for one of the codes that it names.

    Attributes:
        text: Text of the note: its heading and its items.
        at: Code that the note belongs to.
        references: Codes that the note names, empty if it names none.
        required: Whether the note is unconditional.
    """

    text: str
    at: str
    references: tuple[Reference, ...]
    required: bool


@lru_cache(maxsize=1 << 14)
def instructions(
    system: CodeHierarchy, code: str, kind: InstructionKind
) -> tuple[Instruction, ...]:
    """Return the notes of a kind that apply to a code: its notes, then those of the codes above.

    Notes of blocks and chapters are left out, because they apply to thousands of codes ("exposure to
    tobacco smoke" to all of chapter 10).

    A "code first" note is required if the title contains "in … classified elsewhere" (Official
    Guidelines, I.A.13), or if the note asks for the underlying condition unconditionally. All other
    notes apply "if known" (I.B.7).

    Args:
        system: Code system.
        code: Code in any spelling.
        kind: Kind of the notes.

    Raises:
        UnknownCodeError: The release does not contain the code.
    """
    lineage = [code, *system.ancestors(code)]
    lineage = [member for member in lineage if system[member].kind >= Kind.CATEGORY]
    manifestation = any(_MANIFESTATION.search(system.description(member)) for member in lineage)
    found = []
    for member in lineage:
        for lines in _groups([text for text, _ in system.notes(member, kind, inherited=False)]):
            required = not any(map(_CONDITION.search, lines))
            if kind == "code_first":
                underlying = _UNDERLYING.match(lines[0]) is not None
                required = manifestation or (required and underlying)
            head, *items = lines
            text = f"{head} {'; '.join(items)}".strip() if head.endswith(":") else "; ".join(lines)
            named = tuple(reference for line in lines for reference in references(line))
            found.append(Instruction(text, member, named, required))
    return tuple(found)


def _groups(lines: list[str]) -> list[list[str]]:
    """Group the items of a note with its heading."""
    groups: list[list[str]] = []
    for line in lines:
        if not groups or line.endswith(":") or line.startswith(("code", ",")):
            groups.append([])
        groups[-1].append(line)
    return groups
