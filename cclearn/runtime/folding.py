"""Lower-casing that keeps offsets."""

from __future__ import annotations


def lower_case(text: str) -> str:
    """Return a text in lower case, in which every character has the same offset as before.

    `str.lower` would turn `İ` into two characters. Such characters are not changed.
    """
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)
