"""Typing errors and changes of case."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Container

from data_builders.noise.meaning import PROTECTED

_LONG_WORD = re.compile(r"[A-Za-z]{6,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _near_keys() -> dict[str, str]:
    """Return the neighbours of each letter on a QWERTY keyboard."""
    near: dict[str, str] = {}
    for number, row in enumerate(_ROWS):
        for column, letter in enumerate(row):
            beside = row[max(column - 1, 0) : column] + row[column + 1 : column + 2]
            above = _ROWS[number - 1][column : column + 2] if number else ""
            below = _ROWS[number + 1][max(column - 1, 0) : column + 1] if number < 2 else ""
            near[letter] = beside + above + below
    return near


NEAR_KEYS = _near_keys()


def _misspell(
    text: str,
    rng: random.Random,
    known: Container[str],
    change: Callable[[str, int, random.Random], str],
) -> str:
    """Change a letter inside one long word. Protected words, and first and last letters, are kept."""
    words = [m.span() for m in _LONG_WORD.finditer(text) if m[0].lower() not in PROTECTED]
    if not words:
        return text
    start, end = words[int(rng.random() * len(words))]
    position = 1 + int(rng.random() * (end - start - 3))
    word = change(text[start:end], position, rng)
    return text if word.lower() in known else text[:start] + word + text[end:]


def swap(text: str, rng: random.Random, known: Container[str] = ()) -> str:
    """Swap two neighbouring letters inside one long word: `hypertesnion`.

    Args:
        text: Text to change.
        rng: Random generator.
        known: Lower-case words that the error must not produce.
    """
    return _misspell(text, rng, known, _swapped)


def drop(text: str, rng: random.Random, known: Container[str] = ()) -> str:
    """Drop a letter inside one long word: `hyprtension`. The arguments are those of `swap`."""
    return _misspell(text, rng, known, _dropped)


def near_key(text: str, rng: random.Random, known: Container[str] = ()) -> str:
    """Hit a neighbouring key inside one long word: `hypertemsion`. The arguments are those of `swap`."""
    return _misspell(text, rng, known, _replaced)


def _swapped(word: str, position: int, rng: random.Random) -> str:
    return word[:position] + word[position + 1] + word[position] + word[position + 2 :]


def _dropped(word: str, position: int, rng: random.Random) -> str:
    return word[:position] + word[position + 1 :]


def _replaced(word: str, position: int, rng: random.Random) -> str:
    letter = word[position]
    near = NEAR_KEYS[letter.lower()]
    key = near[int(rng.random() * len(near))]
    return word[:position] + (key.upper() if letter.isupper() else key) + word[position + 1 :]


def lower_first(text: str) -> str:
    """Lower the case of the first letter, unless the first word is an abbreviation."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    # "ST elevation", "Q wave" and "A-V block" keep their capitals.
    if len(word) < 2 or not word[1:].replace("-", "").islower():
        return text
    return text[0].lower() + text[1:]


def casing(text: str, rng: random.Random) -> str:
    """Lower the case of the first letter, or write the text in title case or in upper case.

    A text with a single letter is not written in upper case, because the letter would no longer differ
    from the other words.
    """
    drawn = rng.random()
    if drawn < 0.6:
        return lower_first(text)
    if re.search(r"\b[A-Za-z]\b", text):
        return text
    if drawn < 0.8:
        return text.upper()
    return re.sub(r"\b[a-z](?=[a-z]{3,})", lambda match: match[0].upper(), text)
