"""Errors of the hand and habits of case: the same words, spelt as they come."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Container

from data_builders.noise.meaning import PROTECTED

_LONG_WORD = re.compile(r"[A-Za-z]{6,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _near_keys() -> dict[str, str]:
    """Map each letter to those beside it, above and below it on a QWERTY keyboard."""
    near: dict[str, str] = {}
    for number, row in enumerate(_ROWS):
        for place, letter in enumerate(row):
            beside = row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
            above = _ROWS[number - 1][place : place + 2] if number else ""
            below = _ROWS[number + 1][max(place - 1, 0) : place + 1] if number < 2 else ""
            near[letter] = beside + above + below
    return near


NEAR_KEYS = _near_keys()


def _misspell(
    text: str,
    order: random.Random,
    known: Container[str],
    change: Callable[[str, int, random.Random], str],
) -> str:
    """Change one long word inside: first and last letters and protected words stay."""
    words = [m.span() for m in _LONG_WORD.finditer(text) if m[0].lower() not in PROTECTED]
    if not words:
        return text
    start, end = words[int(order.random() * len(words))]
    place = 1 + int(order.random() * (end - start - 3))
    word = change(text[start:end], place, order)
    return text if word.lower() in known else text[:start] + word + text[end:]


def swap(text: str, order: random.Random, known: Container[str] = ()) -> str:
    """Swap two neighbouring letters inside one long word: `hypertesnion`.

    Args:
        text: What to change.
        order: Decides where.
        known: Words in small letters that no error may make of another.
    """
    return _misspell(text, order, known, _swapped)


def drop(text: str, order: random.Random, known: Container[str] = ()) -> str:
    """Drop a letter inside one long word: `hyprtension`. The arguments are those of `swap`."""
    return _misspell(text, order, known, _dropped)


def near_key(text: str, order: random.Random, known: Container[str] = ()) -> str:
    """Hit a key beside the right one: `hypertemsion`. The arguments are those of `swap`."""
    return _misspell(text, order, known, _missed)


def _swapped(word: str, place: int, order: random.Random) -> str:
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _dropped(word: str, place: int, order: random.Random) -> str:
    return word[:place] + word[place + 1 :]


def _missed(word: str, place: int, order: random.Random) -> str:
    letter = word[place]
    near = NEAR_KEYS[letter.lower()]
    hit = near[int(order.random() * len(near))]
    return word[:place] + (hit.upper() if letter.isupper() else hit) + word[place + 1 :]


def lower_first(text: str) -> str:
    """Begin with a small letter, as inside a sentence, unless the first word is an abbreviation."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    # "ST elevation", "Q wave" and "A-V block" keep their capitals.
    if len(word) < 2 or not word[1:].replace("-", "").islower():
        return text
    return text[0].lower() + text[1:]


def casing(text: str, order: random.Random) -> str:
    """Begin with a small letter, or write each word with a capital, or all in capitals.

    Capitals are left to strings without single letters, which would no longer stand out.
    """
    drawn = order.random()
    if drawn < 0.6:
        return lower_first(text)
    if re.search(r"\b[A-Za-z]\b", text):
        return text
    if drawn < 0.8:
        return text.upper()
    return re.sub(r"\b[a-z](?=[a-z]{3,})", lambda match: match[0].upper(), text)
