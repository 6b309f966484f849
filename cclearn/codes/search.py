"""Search for the codes that a text names, in the words that clinicians write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from cclearn.codes.clinical_terms.abbreviations import (
    NO_CODE,
    Meaning,
    is_abbreviation,
    meanings_of,
)
from cclearn.codes.clinical_terms.history import past_code
from cclearn.codes.clinical_terms.normalise import IGNORED, NEGATIONS, read_words
from cclearn.codes.clinical_terms.phrases import word_set
from cclearn.codes.clinical_terms.sentence import Match, Sentence
from cclearn.codes.code_types import Code
from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.search_index import NO_WORDS, Nearest, SearchIndex, search_index
from cclearn.codes.table import Kind
from cclearn.errors import ConfigurationError, shown_id

if TYPE_CHECKING:
    import numpy as np

_MIN_RETRIEVED = 100
"""Minimum number of strings that are ranked."""

_MAX_REFINED = 5
"""Maximum number of phrases within a text whose codes are made more specific by its other words."""

_PIECE = re.compile(r"[^\s,;()]+")

_CASE_COUNTS = 3
"""Maximum number of letters of abbreviations whose capitals count in notes."""

_RARE = 3
"""Maximum number of strings with a word that is rather read as an abbreviation."""

_PAST = ("history", "status post")
"""Words of which the first or all say that a condition or a procedure is past."""

_RANGE = re.compile(r"(?P<first>\w{3,4})\s*[-–]\s*(?P<last>\w{3,4})")
"""Matches a range of categories, such as `I00-I99`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A result of a search.

    Attributes:
        code: Code that was found.
        matched: String through which the code was found: a title, another term or a clinical phrase of
            the code, or the meaning of an abbreviation.
        score: Score from 0 to 100. 100 means that the text names the code.
    """

    code: Code
    matched: str
    score: float


class _Query(NamedTuple):
    """A text to search for.

    Attributes:
        tokens: Normalised words of each token.
        words: All words, each once.
        senses: Meanings of the text if it is an abbreviation, the most usual one first.
    """

    tokens: list[tuple[str, ...]]
    words: tuple[str, ...]
    senses: list[Meaning]


class _Found(NamedTuple):
    """A code that was found. Of two that sort differently, the one that sorts first comes first.

    Attributes:
        negative_score: Score from 0 to 1, negated.
        rank: Number of the meaning of an abbreviation, then phrases, then other strings.
        is_header: Whether the code is not billable.
        code: The code.
        matched: String through which it was found; empty if it is that of `entry`.
        entry: Number of the string in the index.
    """

    negative_score: float
    rank: int
    is_header: bool
    code: str
    matched: str = ""
    entry: int = -1


_BELOW = 0.99
"""Score of the codes below a header that a text names by its code."""

_PHRASE, _STRING = 1_000, 1_001
"""Ranks of phrases and other strings, after those of meanings."""


def search(
    system: CodeHierarchy,
    text: str,
    limit: int = 10,
    *,
    billable: bool = False,
    chapter: str | None = None,
) -> list[Hit]:
    """Return the codes that a text names, the nearest first (`CodeSystem.search`).

    A code is found by itself, and a header also finds the codes below it. A text that is an abbreviation
    finds the code of each of its meanings, the most usual one first. All other codes are ranked by the
    similarity of their strings and phrases (`SearchIndex`). A word that no string contains is read as
    the most similar word. If a phrase is a part of the text, the other words choose a more specific code
    (`Specificity`).

    Args:
        system: Code system.
        text: Text to search for, or a code.
        limit: Maximum number of codes. Every code occurs once.
        billable: Whether only billable codes are returned.
        chapter: Chapter, range of categories, block or header whose codes are returned. None for all.

    Raises:
        ConfigurationError: There is no such chapter, or the limit is not positive.
    """
    problems = []
    if limit < 1:
        problems.append(f"limit (limit = {limit}): it is less than 1. Use a positive number.")
    try:
        allowed = _allowed(system, billable, chapter)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    index = search_index(system)
    best: dict[str, _Found] = {}
    for found in _all_found(system, index, text, limit, allowed):
        known = best.get(found.code)
        if known is None or found < known:
            best[found.code] = found
    return [
        Hit(
            system[found.code],
            found.matched or index.text(found.entry),
            round(-100 * found.negative_score, 1),
        )
        for found in sorted(best.values())[:limit]
    ]


def _all_found(
    system: CodeHierarchy,
    index: SearchIndex,
    text: str,
    limit: int,
    allowed: np.ndarray | None,
) -> Iterator[_Found]:
    """Yield the codes that a text names, in no particular order, some of them several times."""

    def found(code: str, rank: int, matched: str, score: float = 1.0) -> Iterator[_Found]:
        if allowed is None or allowed[index.rows[code]]:
            yield _Found(-score, rank, not system.is_billable(code), code, matched)

    if text in system and system[text].kind >= Kind.CATEGORY:
        named = system[text].code
        yield from found(named, -1, named)
        if not system.is_billable(named):
            for below in system.billable_codes(named)[:limit]:
                yield from found(below, -1, named, _BELOW)
    query = _read_query(system, index, text)
    for rank, sense in enumerate(query.senses):
        code = system.unspecified(sense.code) if sense.code in system else None
        if code is not None:
            yield from found(code, rank, sense.words)
    count = max(_MIN_RETRIEVED, 3 * limit)
    nearest = index.nearest(query.words, count, allowed)
    for string in nearest:
        is_phrase = string.is_contained and _keeps_negation(index, query, string)
        rank = _PHRASE if is_phrase else _STRING
        for code in dict.fromkeys((string.billable, string.code)):
            if code is not None and (allowed is None or allowed[index.rows[code]]):
                is_header = code != string.billable
                yield _Found(-string.score, rank, is_header, code, entry=string.entry)
    if system.traits.has_phrase_table:
        for code, phrase, score in _refined(system, index, query, nearest):
            yield from found(code, _PHRASE, phrase, score)


def _keeps_negation(index: SearchIndex, query: _Query, string: Nearest) -> bool:
    """Return whether the words of a string are on the same side of a negation as in the text."""
    if NEGATIONS.isdisjoint(query.words):
        return True
    words = index.words_of(index.text(string.entry))
    return word_set(" ".join(words)) <= word_set(" ".join(query.words))


def _refined(
    system: CodeHierarchy, index: SearchIndex, query: _Query, nearest: Sequence[Nearest]
) -> Iterator[tuple[str, str, float]]:
    """Yield more specific codes of phrases within a text, with the phrases and scores.

    The score counts the words of the text that the phrase or the title of the code has.
    """
    phrases = [string for string in nearest if string.is_contained]
    if phrases and phrases[0].score == 1:  # The phrase is the whole text.
        return
    is_past = any(set(words.split()) <= set(query.words) for words in _PAST)
    total = index.weight(query.words)
    for string in phrases[:_MAX_REFINED]:
        phrase = index.text(string.entry)
        covered = set(index.words_of(phrase))
        whole = Match(0, len(query.tokens) - 1, string.code)
        code = index.specificity.refine(whole, Sentence(query.tokens))
        if code != string.code:
            covered.update(index.words_of(system.description(code)))
        if is_past and "family" not in query.words:
            past = past_code(code, system)
            if past is not None and past != code:
                code = past
                covered.update(" ".join(_PAST).split())
        if code != string.code and system.is_billable(code):
            weight = index.weight(word for word in query.words if word in covered)
            yield code, phrase, 2 * weight / (total + weight)


def _read_query(system: CodeHierarchy, index: SearchIndex, text: str) -> _Query:
    """Return what a text says: as notes are read, but lenient about capitals and typing errors."""
    expand = system.traits.has_phrase_table
    senses: list[Meaning] = []
    if expand:
        senses = meanings_of(text)
        text = senses[0].words if senses else _with_capitals(text, index)
    read = read_words(text, expand=expand, guess=True).words
    tokens = [
        tuple(_known_word(index, word) for word in words if word not in NO_WORDS) for words in read
    ]
    coded = [sense for sense in senses if sense.code != NO_CODE]
    return _Query(tokens, tuple(dict.fromkeys(chain.from_iterable(tokens))), coded)


def _with_capitals(text: str, index: SearchIndex) -> str:
    """Return a text with capitals for short abbreviations, whose capitals count.

    What is rather a word, such as `as` or `all`, is not changed.
    """

    def capital(match: re.Match[str]) -> str:
        piece = match[0]
        letters = sum(character.isalpha() for character in piece)
        if (
            piece.islower()
            and letters <= _CASE_COUNTS
            and piece not in IGNORED
            and is_abbreviation(piece.upper())
            and not is_abbreviation(piece)
            and (letters == 1 or index.frequency(piece) <= _RARE)
        ):
            return piece.upper()
        return piece

    return _PIECE.sub(capital, text)


def _known_word(index: SearchIndex, word: str) -> str:
    if word in index:
        return word
    return index.corrected(word) or word


@lru_cache(maxsize=64)
def _allowed(system: CodeHierarchy, billable: bool, chapter: str | None) -> np.ndarray | None:
    """Return whether each code may be found, None if all may.

    Raises:
        ConfigurationError: There is no such chapter.
    """
    import numpy as np

    within = None if chapter is None else _codes_within(system, chapter)
    if within is not None and not within:
        raise ConfigurationError(
            [
                f"chapter (chapter = {shown_id(chapter or '')}): {system.name} {system.release} has no"
                " codes there. Use the number of a chapter (9), a range of categories (I00-I99), or a"
                " block or header (I20-I25, I50)."
            ]
        )
    if within is None and not billable:
        return None
    return np.array(
        [
            (within is None or code in within) and (not billable or system.is_billable(code))
            for code in system
        ]
    )


def _codes_within(system: CodeHierarchy, chapter: str) -> frozenset[str]:
    """Return the codes of a chapter, a block, a header or a range of categories; none if unknown."""
    if chapter in system:
        code = system[chapter].code
        return frozenset((code, *system.descendants(code)))
    match = _RANGE.fullmatch(chapter.strip())
    if match is None:
        return frozenset()
    first, last = match["first"].upper(), match["last"].upper()
    return frozenset(
        code for code in system if first <= code[: len(first)] and code[: len(last)] <= last
    )
