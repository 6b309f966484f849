"""Which occurrences of phrases are kept, where several of them share words or items of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cclearn.codes.clinical_terms.normalise import MARK
from cclearn.codes.clinical_terms.sentence import SIDES, Match


class Occurrence(NamedTuple):
    """An occurrence of a phrase. Of two occurrences that overlap, the one that sorts first is kept.

    Attributes:
        negative_length: Number of words of the phrase, negated.
        between: Number of words and marks among the words of the phrase.
        is_reordered: Whether the words are in another order than in the phrase.
        first: Position of the first word.
        last: Position of the last word.
        code: Code of the phrase.
    """

    negative_length: int
    between: int
    is_reordered: bool
    first: int
    last: int
    code: str


class TokenText(NamedTuple):
    """The words of a text.

    Attributes:
        words: All words, in order.
        positions: Positions of each word, in increasing order.
        token_numbers: Index of the token that each word comes from.
        items: Number of the item of a list that each word is in.
    """

    words: Sequence[str]
    positions: Mapping[str, list[int]]
    token_numbers: Sequence[int]
    items: Sequence[int]


class Found(NamedTuple):
    """The phrases of a text.

    Attributes:
        matches: Phrases, none of which overlaps another one.
        nested: Pairs of such a phrase and a phrase within it, longest first.
    """

    matches: list[Match]
    nested: list[tuple[Match, Match]]


def choose(found: Sequence[Occurrence], text: TokenText) -> Found:
    """Return the phrases of a text, in no particular order.

    Args:
        found: All occurrences of phrases.
        text: The text.
    """
    return _without_overlaps(_without_divided(_within_items(found, text), text), text.token_numbers)


def _within_items(found: Sequence[Occurrence], text: TokenText) -> list[Occurrence]:
    """Return the occurrences without those of several items that take words from a phrase of one.

    They begin or end within such a phrase, or end with a word that describes it, such as the second
    word of "sepsis, severe aortic stenosis".
    """
    items = text.items
    in_one = [one for one in found if items[one.first] == items[one.last]]
    inside = {position for one in in_one for position in range(one.first + 1, one.last + 1)}
    begins = {one.first for one in in_one}
    covered = inside | begins

    def takes_words(one: Occurrence) -> bool:
        after = one.last + 1
        describes = (
            after in begins
            and one.last not in covered
            and items[after] == items[one.last]
            and text.token_numbers[after] == text.token_numbers[one.last] + 1
        )
        return one.first in inside or after in inside or describes

    return [one for one in found if items[one.first] == items[one.last] or not takes_words(one)]


def _without_divided(found: Sequence[Occurrence], text: TokenText) -> list[Occurrence]:
    """Return the occurrences without those that are better read as two phrases, with a mark between.

    "Chronic bronchitis with acute respiratory failure" has the words of a chronic failure, but the two
    phrases have more of its words.
    """
    starting: dict[int, list[Occurrence]] = {}
    ending: dict[int, list[Occurrence]] = {}
    for one in found:
        if not one.between:
            starting.setdefault(one.first, []).append(one)
            ending.setdefault(one.last, []).append(one)

    def is_divided(one: Occurrence) -> bool:
        if not one.between:
            return False
        # A side is no word of a phrase: "low back pain with left sciatica" is one condition.
        sides = sum(word in SIDES for word in text.words[one.first : one.last])
        return any(
            left.last + 2 == right.first
            and text.words[left.last + 1] == MARK
            and left.negative_length + right.negative_length + sides < one.negative_length
            for left in starting.get(one.first, ())
            for right in ending.get(one.last, ())
        )

    return [one for one in found if not is_divided(one)]


def _without_overlaps(found: Iterable[Occurrence], token_numbers: Sequence[int]) -> Found:
    """Return the smallest occurrences, none of which shares a token with another one, and those within
    each of them."""
    taken: dict[int, Match] = {}
    result = Found([], [])
    for occurrence in sorted(found):
        numbers = token_numbers[occurrence.first : occurrence.last + 1]
        match = Match(numbers[0], numbers[-1], occurrence.code)
        if taken.keys().isdisjoint(numbers):
            taken.update(dict.fromkeys(numbers, match))
            result.matches.append(match)
            continue
        around = taken.get(match.first)
        if around is not None and around is taken.get(match.last):
            result.nested.append((around, match))
    return result
