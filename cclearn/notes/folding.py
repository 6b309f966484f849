"""Small letters that stand where the given ones stood."""

from __future__ import annotations


def lower_case(text: str) -> str:
    """Lower-case position by position: `İ` lower-cased as a whole would become two characters."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)
