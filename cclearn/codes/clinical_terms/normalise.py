"""Reads the words of a text: equivalent words in one spelling, abbreviations in full."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, chain
from typing import NamedTuple
from unicodedata import combining, normalize

from cclearn.codes.clinical_terms.abbreviations import Abbreviations
from cclearn.codes.clinical_terms.tables import WORDS, read_table
from cclearn.runtime.folding import lower_case

TOKEN = re.compile(
    r"(secondary to\b|[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*|\d+(?:\.\d+)?|\[ ?x?\]|\( ?\)|\(x\)"
    r"|[☐☒☑]|[,()/;:!?|]|(?<!\b[^\W\d_])\.|\n\s*\n)"
)
"""Matches numbers, words with their combining accents, marks, boxes to tick and boundaries. The dot of
"E. coli" is not a boundary. "Secondary to" is one token, because "secondary" does not describe the words
after it."""

_ASCII_TOKEN = re.compile(
    r"(secondary to\b|[a-z]+|[0-9]+(?:\.[0-9]+)?|\[ ?x?\]|\( ?\)|\(x\)|[,()/;:!?|]"
    r"|(?<!\b[a-z])\.|\n\s*\n)"
)
"""The same for ASCII in lower case, where the classes of letters and digits are small and fast."""

MARK, BOUNDARY, JOINED = ",", ".", "of"
"""Normalised forms of three kinds of tokens: marks and conjunctions, tokens that no phrase extends
across, and marks or words without meaning within a phrase."""

BOUNDARY_WORDS = (BOUNDARY,)
"""The words of a token that no phrase extends across. All such tokens share this object."""

CONJUNCTION_WORDS = tuple([MARK])
"""The words of "and", "or" and "with". All such tokens share this object, which no comma has."""

NEGATIONS = frozenset("without no not non nor never".split())
"""Words that negate those after them."""

UNKNOWN = "?"
"""Word of an abbreviation whose meaning cannot be told. No phrase contains it."""

_MARKS = frozenset((",", "/", "secondary to"))
_CONJUNCTIONS = frozenset(("and", "or", "with"))

_SEPARATORS = frozenset((",", "/", "and", "or"))
"""Marks and conjunctions between the items of a list."""

IGNORED = frozenset(
    "of the a an in on at to by for from within into due as is are was were his her their its "
    "this that these s unspecified specified nos nec site ( )".split()
)
"""Tokens that do not distinguish phrases. The parentheses are ignored, but not the words in them."""

_CONNECTORS = IGNORED - {"s", "unspecified", "specified", "nos", "nec", "site", "(", ")"} | {
    "with",
    "without",
    "secondary to",
}
"""Words at the end of a line, or at its beginning, that connect it with the other line."""

_LINE_END = re.compile(r"\n")

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

    British spellings become American ones, plurals become singulars, and letters lose their accents,
    except "ñ", without which Spanish words would be others. `tables/words.tsv` contains
    adjectives of organs, Greek and Latin forms and the like. Results are cached in the mapping.
    """

    def __missing__(self, token: str) -> tuple[str, ...]:
        if token in _CONJUNCTIONS:
            words: tuple[str, ...] = CONJUNCTION_WORDS
        elif token in _MARKS:
            words = (MARK,)
        elif token in IGNORED:
            words = ()
        elif not token[0].isalnum():
            words = BOUNDARY_WORDS
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
    if not word.isascii():
        word = _without_accents(word)
    if _MAY_CHANGE.search(word) is None:
        return word
    for pattern, replacement in _AMERICAN:
        word = pattern.sub(replacement, word)
    for pattern, replacement in _SINGULAR:
        singular = pattern.sub(replacement, word)
        if singular != word:
            return singular
    return word


def _without_accents(word: str) -> str:
    parts = normalize("NFD", word).replace("n\u0303", "ñ")
    return "".join(part for part in parts if not combining(part))


class Words(NamedTuple):
    """The words of a text.

    Attributes:
        words: Normalised words of each token: one, several or none. Those of an abbreviation of several
            tokens belong to its first one.
        starts: Offset of each token.
        ends: Offset after each token, or after the abbreviation that it begins.
        abbreviations: Indices of the tokens that begin an abbreviation.
        items: Indices of the tokens that begin an item of a list: those after a comma, a slash, "and" or
            "or", and those that begin a line, unless a word such as "with" joins the two lines.
    """

    words: list[tuple[str, ...]]
    starts: list[int]
    ends: list[int]
    abbreviations: set[int]
    items: set[int]


COUNTERS = frozenset("stage grade type class degree category phase".split())
"""Words after which a number is an attribute, and "IV" is a number."""

_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}

_READ_BY_CONTEXT = frozenset(("a", *_ROMAN))

_BEFORE_LETTERS = frozenset(
    "hepatitis vitamin influenza flu hemophilia haemophilia type group factor immunoglobulin stage grade"
    " apolipoprotein strep streptococcus".split()
)
"""Words after which "a" is a letter and no article."""


def read_words(text: str, defaults: bool = True, expand: bool = True, guess: bool = False) -> Words:
    """Return the normalised words of a text, with their offsets.

    Args:
        text: The text.
        defaults: Whether an ambiguous abbreviation has its default meaning if no context is near.
        expand: Whether abbreviations are read in full. They are those of English notes.
        guess: Whether an ambiguous abbreviation without a default has its most usual meaning then.
    """
    tokens, words, starts, ends = _read_plain(lower_case(text))
    abbreviations: set[int] = set()
    items = _items(text, tokens, starts)
    if not expand:
        return Words(words, starts, ends, abbreviations, items)
    for first, last, meaning in _abbreviations().find(text, tokens, starts, defaults, guess):
        is_numeral = tokens[first] in _ROMAN and first and tokens[first - 1] in COUNTERS
        if is_numeral or (
            not meaning and (not defaults or text[starts[first] : ends[last]].islower())
        ):
            continue  # Without a meaning, it is probably a word, such as "post" in "status post".
        words[first] = _meant(meaning)
        words[first + 1 : last + 1] = [()] * (last - first)
        ends[first] = ends[last]
        abbreviations.add(first)
    return Words(words, starts, ends, abbreviations, items)


def _items(text: str, tokens: Sequence[str], starts: Sequence[int]) -> set[int]:
    """Return the indices of the tokens that begin an item of a list (`Words.items`)."""
    items = {number + 1 for number, token in enumerate(tokens) if token in _SEPARATORS}
    for match in _LINE_END.finditer(text):
        number = bisect_left(starts, match.end())
        if 0 < number < len(tokens) and _CONNECTORS.isdisjoint(tokens[number - 1 : number + 1]):
            items.add(number)
    return items


def join_divided_words(text: str, read: Words, vocabulary: frozenset[str]) -> None:
    """Join the words that a text divides at the end of a line, if that gives a known word.

    `hyper-\\ntension` becomes hypertension, but `well-\\ncontrolled` stays as it is.

    Args:
        text: The text.
        read: Words of the text, which are changed. The first half becomes the word, and its end that of
            the second half.
        vocabulary: Known words, normalised.
    """
    words, starts, ends = read.words, read.starts, read.ends
    for number in range(len(words) - 1):
        if text.startswith("-\n", ends[number]):
            after = number + 1
            halves = text[starts[number] : ends[number]] + text[starts[after] : ends[after]]
            is_adjacent = text[ends[number] : starts[after]].strip() == "-"
            joined = NORMALISED_WORDS[lower_case(halves)]
            if is_adjacent and joined and vocabulary.issuperset(joined):
                words[number], words[after], ends[number] = joined, (), ends[after]


def _read_plain(
    lowered: str,
) -> tuple[list[str], list[tuple[str, ...]], list[int], list[int]]:
    """Return the tokens of a text in lower case, their words, and the offsets before and after them."""
    # Match objects are avoided, because the garbage collection of thousands of them would take a
    # fifth of the time. A split returns what is between the tokens too, so that lengths give offsets.
    parts = (_ASCII_TOKEN if lowered.isascii() else TOKEN).split(lowered)
    tokens = parts[1::2]
    offsets = list(accumulate(map(len, parts)))
    starts, ends = offsets[:-1:2], offsets[1::2]
    words = list(map(NORMALISED_WORDS.__getitem__, tokens))
    for number, token in enumerate(tokens):
        if token in _READ_BY_CONTEXT and number:
            before = tokens[number - 1]
            adjoins = ends[number - 1] == starts[number]
            is_letter = before in _BEFORE_LETTERS or (adjoins and before.isdigit())
            if before in COUNTERS if token in _ROMAN else is_letter:
                words[number] = (_ROMAN.get(token, token),)
    return tokens, words, starts, ends


@cache
def _meant(meaning: str) -> tuple[str, ...]:
    """Return the words of what an abbreviation means, each once, without marks if there are others."""
    words = tuple(dict.fromkeys(chain(*_read_plain(meaning.lower())[1])))
    return tuple(word for word in words if word not in (MARK, BOUNDARY)) or words or (UNKNOWN,)


@cache
def _abbreviations() -> Abbreviations:
    return Abbreviations(TOKEN.findall)
