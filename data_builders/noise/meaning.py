"""The words that carry the meaning of a diagnosis, which no change of spelling may remove.

ICD-10-CM distinguishes codes by side, course, encounter, rank, number and negation. A changed string
that loses or alters one of them would teach a wrong code.
"""

from __future__ import annotations

import re

PROTECTED = frozenset(
    # Negation and combination.
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
    # Residual categories.
    "other unspecified specified unknown "
    # Persons.
    "male female maternal newborn child adult".split()
)
"""Words that are kept, or replaced by one of their spellings in `ALIASES`."""

NEGATIONS = frozenset(("no", "not", "without", "never", "denies", "negative"))
"""Protected words that deny what follows them."""

SIDES = frozenset(("left", "right", "bilateral"))
"""Protected words for the sides of the body."""

NUMBER_WORDS = {
    "first": "1st",
    "second": "2nd",
    "third": "3rd",
    "fourth": "4th",
    "fifth": "5th",
    "sixth": "6th",
}
"""Ordinals and their short forms."""

SHORT_FORMS = {
    "right": ("rt", "R"),
    "left": ("lt", "L"),
    "bilateral": ("bilat", "b/l"),
    "without": ("w/o",),
    "with": ("w/",),
    "history": ("hx",),
    **{word: (short,) for word, short in NUMBER_WORDS.items()},
}
"""Protected words and their short forms in clinical notes."""

ALIASES: dict[str, str] = {
    short.lower(): word for word, shorts in SHORT_FORMS.items() for short in shorts
}

_ROMAN = frozenset("ii iii iv vi vii viii ix".split())
_WORD = re.compile(r"[^\W\d_]+")
_MARK = re.compile(r"w/o\b|w/|b/l\b|[^\W\d_]+|\d+(?:st|nd|rd|th)\b|\d+")


def words_of(text: str) -> list[str]:
    """Return the lower-case words of a text."""
    return _WORD.findall(text.lower())


def meaning_marks(text: str) -> list[str]:
    """Return the protected words, numbers and single capital letters of a text, in their order.

    Two spellings of the same diagnosis have the same marks: `2nd` and `second` are one mark, and so are
    `rt` and `right`. Roman numerals and single capitals distinguish types and classes (`type II`,
    `hepatitis B`, `class C`).
    """
    return [mark for word in _MARK.findall(text) if (mark := _mark(word))]


def _mark(word: str) -> str | None:
    lowered = ALIASES.get(word.lower(), word.lower())
    if lowered in PROTECTED or lowered in NUMBER_WORDS or lowered in _ROMAN:
        return lowered
    return lowered if lowered[0].isdigit() or (len(word) == 1 and word.isupper()) else None
