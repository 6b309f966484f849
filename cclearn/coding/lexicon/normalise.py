"""Normalises equivalent words of clinical text to one spelling."""

from __future__ import annotations

import re
from functools import cache

from cclearn.coding.lexicon.tables import WORDS, read_table

TOKEN = re.compile(
    # Matching the blanks before a token is fast. Their number is limited, because a long run of blanks
    # would be tried again from each of its blanks.
    r" {0,3}(secondary to\b|[^\W\d_]+|\d+(?:\.\d+)?|[,()/]|(?<!\b[^\W\d_])\.|[;:!?|]|\n\s*\n)"
)
"""Matches numbers, words, marks and boundaries. The dot of "E. coli" is not a boundary. "Secondary to"
is one token, because "secondary" does not describe the words after it."""

MARK, BOUNDARY, JOINED = ",", ".", "of"
"""Normalised forms of three kinds of tokens: marks and conjunctions, tokens that no phrase extends
across, and marks or words without meaning within a phrase."""

_MARKS = frozenset((",", "/", "secondary to", "and", "or", "with"))

_IGNORED = frozenset(
    "of the a an in on at to by for from within into due as is are was were his her their its "
    "this that these s unspecified specified nos nec site ( )".split()
)
"""Tokens that do not distinguish phrases. The parentheses are ignored, but not the words in them."""

_AMERICAN = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<!^)ae(?=[a-z])", "e"),  # Anaemia, haematuria.
        (r"^haem", "hem"),
        (r"oe(?=d|so|st|ti|l)", "e"),  # Oedema, oesophagus, oestrogen, foetid, coeliac.
        (r"rrhoea", "rrhea"),
        (r"umour", "umor"),
        (r"ibre(?=s?$)", "iber"),
    )
)
_MAY_CHANGE = re.compile(r"ae|oe|umour|ibre|s$|omata$")
"""Matches words that the patterns may change."""

_SINGULAR = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"omata$", "oma"),
        (r"(?<=[a-z]{2})ies$", "y"),
        (r"(?<=ss|ch|sh)es$", ""),
        (r"(?<=x)es$", ""),
        (r"(?<=[a-z]s)[ie]s$", "e"),  # Metastasis and metastases; disease and diseases.
        (r"(?<=[a-z]{3})(?<![isu])s$", ""),
    )
)


class NormalisedWords(dict[str, tuple[str, ...]]):
    """Maps a token in lower case to a tuple of its normalised words. An ignored token has none.

    British spellings become American ones, and plurals become singulars. `tables/words.tsv` contains
    adjectives of organs, Greek and Latin forms and the like. Results are cached in the mapping.
    """

    def __missing__(self, token: str) -> tuple[str, ...]:
        if token in _MARKS:
            words: tuple[str, ...] = (MARK,)
        elif token in _IGNORED:
            words = ()
        elif not token[0].isalnum():
            words = (BOUNDARY,)
        else:
            stem = _stem(token)
            words = _equivalents().get(stem, (stem,))
        if len(self) < _MAX_CACHED:
            self[token] = words
        return words


_MAX_CACHED = 200_000
"""Maximum size of the cache. The number of misspelt words is unlimited."""

NORMALISED_WORDS = NormalisedWords()


@cache
def _equivalents() -> dict[str, tuple[str, ...]]:
    """Return the table of equivalent words, by the stem of a word."""
    return {_stem(word): tuple(map(_stem, words.split())) for word, words in read_table(WORDS)}


def _stem(word: str) -> str:
    if _MAY_CHANGE.search(word) is None:
        return word
    for pattern, replacement in _AMERICAN:
        word = pattern.sub(replacement, word)
    for pattern, replacement in _SINGULAR:
        singular = pattern.sub(replacement, word)
        if singular != word:
            return singular
    return word
