"""One spelling for words of clinical text that mean the same."""

from __future__ import annotations

import re
from functools import cache

from cclearn.coding.lexicon.tables import WORDS, read_table

TOKEN = re.compile(
    # The blanks before a token are the quickest thing to try; no more of them than usual, or a long run
    # would be tried again from each of its blanks.
    r" {0,3}(secondary to\b|[^\W\d_]+|\d+(?:\.\d+)?|[,()/]|(?<!\b[^\W\d_])\.|[;:!?|]|\n\s*\n)"
)
"""Numbers, words, marks, and stops; the dot of "E. coli" is none. What follows "secondary to" is not
said to be secondary."""

MARK, STOP, JOINED = ",", ".", "of"
"""What stands for all marks and words that join two things; for what no phrase reaches over; and, among
the words of a phrase, for marks and words that tell nothing."""

_MARKS = frozenset((",", "/", "secondary to", "and", "or", "with"))

_LEFT_OUT = frozenset(
    "of the a an in on at to by for from within into due as is are was were his her their its "
    "this that these s unspecified specified nos nec site ( )".split()
)
"""What tells no phrase from another; a word in parentheses is a word."""

_AMERICAN = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"(?<!^)ae(?=[a-z])", "e"),  # Anaemia, haematuria.
        (r"^haem", "hem"),
        (r"oe(?=d|so|st|ti|l)", "e"),  # Oedema, oesophagus, oestrogen, foetid, coeliac.
        (r"rrhoea", "rrhea"),
        (r"umour", "umor"),
        (r"ibre(?=s?$)", "iber"),
    )
)
_SPELT_OTHERWISE = re.compile(r"ae|oe|umour|ibre|s$|omata$")
"""What a word holds that the patterns below could change."""

_SINGULAR = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"omata$", "oma"),
        (r"(?<=[a-z]{2})ies$", "y"),
        (r"(?<=ss|ch|sh)es$", ""),
        (r"(?<=x)es$", ""),
        (r"(?<=[a-z]s)[ie]s$", "e"),  # Metastasis and metastases; disease and diseases.
        (r"(?<=[a-z]{3})(?<![isu])s$", ""),
    )
)


class Wording(dict[str, tuple[str, ...]]):
    """Maps a token in small letters to the words by which it is known, none where it tells nothing.

    British forms are spelt as American ones, several as one; `tables/words.tsv` holds adjectives of
    organs, Greek and Latin forms and the like. Words are remembered, so one wording serves for all.
    """

    def __missing__(self, token: str) -> tuple[str, ...]:
        if token in _MARKS:
            known: tuple[str, ...] = (MARK,)
        elif token in _LEFT_OUT:
            known = ()
        elif not token[0].isalnum():
            known = (STOP,)
        else:
            stem = _stem(token)
            known = _means().get(stem, (stem,))
        if len(self) < _MOST_REMEMBERED:
            self[token] = known
        return known


_MOST_REMEMBERED = 200_000
"""Misspelt words would come without end."""

WORDING = Wording()


@cache
def _means() -> dict[str, tuple[str, ...]]:
    return {_stem(word): tuple(map(_stem, means.split())) for word, means in read_table(WORDS)}


def _stem(word: str) -> str:
    if _SPELT_OTHERWISE.search(word) is None:
        return word
    for pattern, put in _AMERICAN:
        word = pattern.sub(put, word)
    for pattern, put in _SINGULAR:
        singular = pattern.sub(put, word)
        if singular != word:
            return singular
    return word
