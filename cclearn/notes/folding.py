"""Lower-casing that keeps offsets."""

from __future__ import annotations


def lower_case(text: str) -> str:
    """Return a text in lower case with every character at its old offset.

    `str.lower` would turn `İ` into two characters; such characters are kept.
    """
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)
