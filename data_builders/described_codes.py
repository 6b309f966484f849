"""Codes in words, for the prompts of the builders that ask a model."""

from __future__ import annotations

from cclearn.codes import CodeSystem

_TERMS = 4
"""Maximum number of inclusion terms of a code."""


def described_code(code: str, system: CodeSystem) -> str:
    """Return the title of a code with some inclusion terms and the title above it.

    Args:
        code: A code. One that the system does not contain has an empty description.
        system: Code system of the code.
    """
    if code not in system:
        return ""
    row, parent = system[code], system.parent(code)
    remarks = []
    if row.synonyms:
        remarks.append(f"also: {'; '.join(row.synonyms[:_TERMS])}")
    if parent is not None and system.description(parent):
        remarks.append(f"in: {system.description(parent)}")
    return row.description + (f" ({'; '.join(remarks)})" if remarks else "")
