"""The words that carry a diagnosis's meaning, in one place: no change of spelling may lose one.

ICD-10-CM splits codes by side, course, encounter, rank, number and by what is absent. A changed string
that says less than this, or something else, would teach a wrong code.
"""

from __future__ import annotations

import re

PROTECTED = frozenset(
    # What is absent, or joined.
    "no not non never none nor neither without with absent absence negative denies lack free due "
    # Side and position.
    "left right bilateral unilateral both upper lower anterior posterior proximal distal medial "
    "lateral superior inferior inner outer central peripheral "
    # Course, time and rank.
    "acute subacute chronic recurrent history family personal past previous old current active "
    "initial subsequent sequela late early primary secondary single multiple "
    # Behaviour and degree.
    "malignant benign situ metastatic uncertain mild moderate severe profound complete incomplete "
    "partial total open closed displaced nondisplaced controlled uncontrolled "
    # What is left over.
    "other unspecified specified unknown "
    # Who.
    "male female maternal newborn child adult".split()
)
"""Words that stay as they are, or are written in another of the ways in `ALIASES`."""

NUMBER_WORDS = {
    "first": "1st",
    "second": "2nd",
    "third": "3rd",
    "fourth": "4th",
    "fifth": "5th",
    "sixth": "6th",
}
"""Ordinals and how they are written short."""

SHORT_FORMS = {
    "right": ("rt", "R"),
    "left": ("lt", "L"),
    "bilateral": ("bilat", "b/l"),
    "without": ("w/o",),
    "with": ("w/",),
    "history": ("hx",),
    **{word: (short,) for word, short in NUMBER_WORDS.items()},
}
"""Protected words and the ways in which clinicians shorten them."""

ALIASES: dict[str, str] = {
    short.lower(): word for word, shorts in SHORT_FORMS.items() for short in shorts
}

_ROMAN = frozenset("ii iii iv vi vii viii ix".split())
_WORD = re.compile(r"[^\W\d_]+")
_MARK = re.compile(r"w/o\b|w/|b/l\b|[^\W\d_]+|\d+(?:st|nd|rd|th)\b|\d+")


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters."""
    return _WORD.findall(text.lower())


def meaning_marks(text: str) -> list[str]:
    """Return the protected words, numbers and single capital letters of a text, in its order.

    Two strings that say the same have the same marks, whatever their spelling: `2nd` and `second`,
    `rt` and `right` are one mark. Roman numerals and single capitals tell types and classes apart
    (`type II`, `hepatitis B`, `class C`).
    """
    return [mark for word in _MARK.findall(text) if (mark := _mark(word))]


def _mark(word: str) -> str | None:
    lowered = ALIASES.get(word.lower(), word.lower())
    if lowered in PROTECTED or lowered in NUMBER_WORDS or lowered in _ROMAN:
        return lowered
    return lowered if lowered[0].isdigit() or (len(word) == 1 and word.isupper()) else None
