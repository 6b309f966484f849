"""The phrases of a sentence, and which of the words around a phrase describe it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import NamedTuple

from cclearn.codes.clinical_terms.normalise import CONJUNCTION_WORDS, COUNTERS, MARK

REACH = 8
"""Number of tokens on either side of a phrase whose words support a more specific code."""

SIDES = frozenset(("left", "right", "bilateral"))
COURSES = frozenset(("acute", "subacute", "chronic"))
_COURSE_BEFORE, _COURSE_AFTER = 3, 2
"""Numbers of tokens before and after a phrase within which a word such as "acute" describes it."""

_COUNTERS = COUNTERS | {"disease"}
"""Words after which a number is an attribute, as in "CKD 3". Any other may be a dose or a duration."""

_BEFORE_LETTERS = COUNTERS | {"group"}
"""Words after which a single letter is an attribute. Otherwise it follows a number, as in "stage 3b"."""


class Match(NamedTuple):
    """An occurrence of a phrase.

    Attributes:
        first: Index of the first token.
        last: Index of the last token.
        code: Code of the phrase.
    """

    first: int
    last: int
    code: str


class Sentence:
    """The words of a sentence, and what separates its phrases.

    Args:
        words: Normalised words of each token.
        matches: Phrases of the sentence.
        items: Indices of the tokens that begin an item of a list, as in `normalise.Words`.
    """

    def __init__(
        self,
        words: Sequence[tuple[str, ...]],
        matches: Sequence[Match] = (),
        items: Collection[int] = frozenset(),
    ) -> None:
        self.words = words
        self._items = list(accumulate(number in items for number in range(len(words))))
        self._lines = [n for n in sorted(items) if 0 < n < len(words) and words[n - 1] != (MARK,)]
        self._phrase_at = {
            n: match for match in matches for n in range(match.first, match.last + 1)
        }
        self._in_phrase = self._phrase_at.keys()
        self._phrase_of = {
            self._items[n]: self._phrase_at[n] for n in sorted(self._phrase_at)[::-1]
        }
        self._items_with_phrase = self._phrase_of.keys()

    def may_describe(self, match: Match, number: int, word: str, previous: str) -> bool:
        """Return whether a word outside of a phrase may describe it.

        "Acute" and "chronic" describe the phrase that they are close to, and no other one. A number, or
        a letter after a number, belongs to the phrase before it in its item of a list. A side does not
        reach from the line of another phrase. All other words may describe the phrase.

        Args:
            match: The phrase.
            number: Index of the token.
            word: One of its words.
            previous: The word before it.
        """
        if word in COURSES:
            is_close = match.first - _COURSE_BEFORE <= number <= match.last + _COURSE_AFTER
            return is_close and number not in self._in_phrase and self._is_free(match, number)
        if word.isdigit():
            return previous in _COUNTERS and self._counts(match, number)
        if len(word) == 1:
            is_attribute = previous.isdigit() or previous in _BEFORE_LETTERS
            return is_attribute and self._counts(match, number)
        return word not in SIDES or not self._is_in_other_line(match, number)

    def owner(self, match: Match, number: int, word: str) -> Match | None:
        """Return the phrase of another item of a list that a word belongs to.

        In "breast cancer, right hip pain", the side belongs to the pain. None if a word is in an item of
        the phrase, in one without a phrase, or neither a comma nor the end of a line is between. Except
        for their sides, phrases of one category share words: "smokes cigarettes, nicotine dependent".

        Args:
            match: The phrase.
            number: Index of the token of the word.
            word: The word.
        """
        item = self._items[number]
        if self._items[match.first] <= item <= self._items[match.last]:
            return None
        first, last = (number, match.first) if number < match.first else (match.last, number)
        has_comma = any(
            self.words[n] == (MARK,) and self.words[n] is not CONJUNCTION_WORDS
            for n in range(first + 1, last)
        )
        if not has_comma and not self._has_line_between(first, last):
            return None
        other = self._phrase_at.get(number, self._phrase_of.get(item))
        is_shared = other is not None and other.code[:3] == match.code[:3] and word not in SIDES
        return None if is_shared else other

    def is_in_phrase(self, number: int) -> bool:
        """Return whether a token is part of a phrase."""
        return number in self._in_phrase

    def _is_free(self, match: Match, number: int) -> bool:
        """Return whether a token is in an item of a phrase, or no item from there to it has a phrase."""
        first, last, item = self._items[match.first], self._items[match.last], self._items[number]
        between = range(item, first) if item < first else range(last + 1, item + 1)
        return self._items_with_phrase.isdisjoint(between)

    def _counts(self, match: Match, number: int) -> bool:
        """Return whether a number is one of a phrase, and not of another one."""
        item = self._items[number]
        if self._items[match.first] <= item <= self._items[match.last]:
            before = range(match.last + 1, number) if number > match.last else range(number)
            return not any(n in self._in_phrase and self._items[n] == item for n in before)
        # "CKD, now stage 3": the number follows in an item without a phrase.
        return number > match.last and self._is_free(match, number)

    def _is_in_other_line(self, match: Match, number: int) -> bool:
        """Return whether a token is in another line than a phrase, and that line has a phrase too."""
        first, last = (number, match.first) if number < match.first else (match.last, number)
        is_other = self._has_line_between(first, last)
        return is_other and self._items[number] in self._items_with_phrase

    def _has_line_between(self, first: int, last: int) -> bool:
        return bisect_right(self._lines, first) < bisect_right(self._lines, last)
