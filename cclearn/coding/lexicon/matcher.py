"""Finds phrases in a text. The words of a phrase may occur in any order."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from cclearn.codes.clinical_terms.normalise import JOINED, MARK, NEGATIONS
from cclearn.codes.clinical_terms.sentence import SIDES
from cclearn.coding.lexicon.overlaps import Found, Occurrence, TokenText, choose

_MAX_OTHER_WORDS = 1
"""Maximum number of other words among the words of a phrase of three or more words."""

_MAX_REPEATED = 1
"""Maximum number of punctuation marks and repeated words among the words of a phrase. The text
`hypertensive heart disease with heart failure` repeats "heart"."""

_NEVER_BETWEEN = NEGATIONS | {"malignant", "secondary", "benign", "history", "negative"}
"""Words that change the meaning of the phrase around them."""

_LINKING = frozenset("which who now currently acutely".split())
"""Words at the beginning of an item that describes the item before it."""

_LEADING = frozenset(("fracture",))
"""Words that clinicians write before the site too: "fx R scaphoid"."""

_FIRST_WORDS = frozenset("history mother father family".split())
"""Words that stay first: "stroke, family history of cancer" is no family history of stroke."""


class _Phrase(NamedTuple):
    """A phrase of several words.

    Attributes:
        words: All words, in order.
        other_words: All words except the two rarest, rarest first. The search chooses positions in this
            order, because the position of one word determines which position of the next word is
            nearest, and a rare word has the fewest positions.
        negation: Index of the first word that negates, such as "without", or -1. The words before it and
            those after it keep their sides: "nausea without vomiting" is not "vomiting without nausea".
        numbered: Whether one of the words is a number.
        contiguous: Whether no other word may occur among the words. Punctuation marks and words without
            meaning may.
        ordered: Whether the phrase has two words that may only be reordered around a word without
            meaning. "Cardiac asthma" matches "asthma of the heart" but not "asthma heart", whereas
            "neoplasm of the kidney" also matches "kidney neoplasm".
        code: Code of the phrase.
    """

    words: tuple[str, ...]
    other_words: tuple[str, ...]
    negation: int
    numbered: bool
    contiguous: bool
    ordered: bool
    code: str


class PhraseMatcher:
    """Finds phrases. Each phrase is looked up by the two rarest of its words.

    Args:
        phrases: Words of each phrase and its code, as returned by `collect_phrases`.
    """

    def __init__(self, phrases: Mapping[str, str]) -> None:
        frequency: Counter[str] = Counter()
        for phrase in phrases:
            frequency.update(_words(phrase))
        self._single: dict[str, str] = {}
        # Phrases are kept as text and parsed when their two rarest words occur together. One hundred
        # thousand objects would take longer to create, and slow down every garbage collection.
        self._longer: dict[str, dict[str, str]] = {}
        for phrase, code in phrases.items():
            words = _words(phrase)
            if len(words) == 1:
                self._single[words[0]] = code
            else:
                words.sort(key=frequency.__getitem__)
                rarest, second, *others = words
                by_second = self._longer.setdefault(rarest, {})
                lines = f"{by_second[second]}\n" if second in by_second else ""
                by_second[second] = f"{lines}{phrase}\t{' '.join(others)}\t{code}"
        self._rarest_words = frozenset(self._longer)

    def to_json(self) -> bytes:
        """Return the tables of the matcher, from which it is made faster than from phrases."""
        return json.dumps([self._single, self._longer], separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, content: bytes) -> PhraseMatcher:
        """Return the matcher whose tables `to_json` returned."""
        matcher = cls({})
        matcher._single, matcher._longer = json.loads(content)
        matcher._rarest_words = frozenset(matcher._longer)
        return matcher

    def find(self, tokens: Sequence[tuple[str, ...]], items: Container[int] = frozenset()) -> Found:
        """Return the phrases of a text, in no particular order.

        Of two phrases that overlap, the one with more words is kept, then the one whose words are closer
        together, then the one whose words are in order, then the first one. A phrase that extends over
        several items of a list contains them from the first to the last word, and does not end within a
        phrase of one item: "heart failure, acute" is a phrase, but not in "heart failure, acute kidney
        injury".

        Args:
            tokens: Normalised words of each token of the text: one, several or none.
            items: Indices of the tokens that begin an item of a list.
        """
        words = list(chain.from_iterable(tokens))
        present = set(words)
        single = self._single.keys() & present
        longer = list(self._candidates(present))
        if not single and not longer:
            return Found([], [])
        numbers = _token_numbers(tokens)
        text = TokenText(words, _positions(words), numbers, _item_numbers(numbers, items))
        found = [
            Occurrence(-1, 0, False, position, position, self._single[word])
            for word in single
            for position in text.positions[word]
            if not _splits_a_token({position}, text.token_numbers)
        ]
        for rarest, second, phrase in longer:
            found += _occurrences(phrase, rarest, second, text)
        return choose(found, text)

    def _candidates(self, present: set[str]) -> Iterator[tuple[str, str, _Phrase]]:
        """Yield the two rarest words of each phrase whose words are all present, and the phrase."""
        for rarest in present & self._rarest_words:
            longer = self._longer[rarest]
            seconds = longer.keys()
            if seconds.isdisjoint(present):
                continue
            for second in seconds & present:
                for phrase in _parse(longer[second]):
                    if present.issuperset(phrase.other_words):
                        yield rarest, second, phrase


def _words(phrase: str) -> list[str]:
    return [word for word in phrase.split(" ") if word != JOINED]


@lru_cache(maxsize=20_000)
def _parse(lines: str) -> list[_Phrase]:
    """Return the phrases in lines of words, words without the two rarest, and codes.

    The lines are those of `PhraseMatcher`: all of them share their two rarest words.
    """
    phrases = []
    for line in lines.split("\n"):
        phrase, others, code = line.split("\t")
        words = tuple(_words(phrase))
        numbered = any(word.isdigit() for word in words)
        contiguous = (
            numbered
            or len(words) == 2
            or any(len(word) == 1 or word in NEGATIONS for word in words)
        )
        ordered = len(words) == 2 and JOINED not in phrase.split(" ")
        negation = next((n for n, word in enumerate(words) if word in NEGATIONS), -1)
        rest = tuple(others.split())
        phrases.append(_Phrase(words, rest, negation, numbered, contiguous, ordered, code))
    return phrases


def _positions(words: Sequence[str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for position, word in enumerate(words):
        positions.setdefault(word, []).append(position)
    return positions


def _token_numbers(tokens: Sequence[tuple[str, ...]]) -> list[int]:
    return [number for number, words in enumerate(tokens) for _ in words]


def _item_numbers(token_numbers: Sequence[int], items: Container[int]) -> list[int]:
    """Return the number of the item that each word is in."""
    found: list[int] = []
    item, before = 0, -1
    for token in token_numbers:
        # A token without words may begin an item too.
        item += sum(number in items for number in range(before + 1, token + 1))
        before = token
        found.append(item)
    return found


def _occurrences(
    phrase: _Phrase, rarest: str, second: str, text: TokenText
) -> Iterator[Occurrence]:
    """Yield the occurrences of a phrase, at each position of its rarest word."""
    max_distance = len(phrase.words) + _MAX_OTHER_WORDS + _MAX_REPEATED - 1
    seconds = text.positions[second]
    for position in text.positions[rarest]:
        for near in _neighbours(seconds, position, position):
            if -max_distance <= position - near <= max_distance:
                chosen = {rarest: position, second: near}
                distance = _choose_positions(phrase.other_words, chosen, text)
                if distance <= max_distance and (found := _occurrence(phrase, chosen, text)):
                    yield found


def _choose_positions(words: Iterable[str], chosen: dict[str, int], text: TokenText) -> int:
    """Choose the nearest position of each word. Return the distance of the first and the last position.

    A position in a token that already has a chosen word is nearest, because no phrase splits a token.

    Args:
        words: Words of a phrase without a chosen position, rarest first.
        chosen: Chosen positions, to which those of the words are added.
        text: The text.
    """
    first, last = sorted(chosen.values())
    numbers = text.token_numbers
    for word in words:
        positions = text.positions[word]
        if len(positions) == 1:
            near = positions[0]
        else:
            begin, end = numbers[first], numbers[last]
            near = min(
                _neighbours(positions, first, last),
                key=lambda n: (numbers[n] not in (begin, end), max(first - n, n - last, 0)),
            )
        chosen[word] = near
        first, last = min(first, near), max(last, near)
    return last - first


def _occurrence(phrase: _Phrase, chosen: dict[str, int], text: TokenText) -> Occurrence | None:
    """Return the occurrence at the chosen positions. None if the words around them forbid it."""
    taken = set(chosen.values())
    if _splits_a_token(taken, text.token_numbers):
        return None
    first, last = min(taken), max(taken)
    between = [text.words[n] for n in range(first, last + 1) if n not in taken]
    if not _NEVER_BETWEEN.isdisjoint(between):
        return None
    order = [chosen[word] for word in phrase.words]
    is_reordered = order != sorted(order)
    if is_reordered and phrase.words[0] in _FIRST_WORDS and first != chosen[phrase.words[0]]:
        return None
    if phrase.negation >= 0 and is_reordered and not _keep_sides(order, phrase.negation):
        return None
    # A side may be among the words of any phrase: "edema of both legs" is leg edema.
    others = [word for word in between if word not in SIDES]
    sides = len(between) - len(others)
    adjacent = text.token_numbers[last] - text.token_numbers[first] == 1 + sides
    if is_reordered and phrase.ordered and adjacent and text.words[first] not in _LEADING:
        return None
    other_words = sum(word != MARK and word not in phrase.words for word in others)
    is_one_item = text.items[first] == text.items[last]
    if is_reordered and phrase.numbered and (MARK in between or not is_one_item):
        return None  # The number belongs to what is before it: "cancer stage 4, kidney disease".
    if (
        not is_one_item
    ):  # "COPD, now exacerbated" is one phrase, "left radius and ankle sprain" is none.
        other_words -= sum(word in _LINKING for word in others)
    if other_words > (_MAX_OTHER_WORDS if is_one_item and not phrase.contiguous else 0):
        return None
    return Occurrence(-len(order), len(between), is_reordered, first, last, phrase.code)


def _keep_sides(order: Sequence[int], negation: int) -> bool:
    """Return whether the positions before and after a negation are before and after it in the text."""
    border = order[negation]
    return (
        max(order[:negation], default=-1) < border < min(order[negation + 1 :], default=border + 1)
    )


def _splits_a_token(taken: set[int], token_numbers: Sequence[int]) -> bool:
    """Return whether a token has words inside and outside of an occurrence.

    For example, the token "cancer" has two words ("malignant", "neoplasm"), and a phrase must not match
    only one of them.
    """
    beside = {position + step for position in taken for step in (-1, 1)} - taken
    used = {token_numbers[position] for position in taken}
    return any(0 <= n < len(token_numbers) and token_numbers[n] in used for n in beside)


def _neighbours(positions: list[int], first: int, last: int) -> list[int]:
    """Return the positions from first to last, with the nearest one before and after them."""
    return positions[max(0, bisect_left(positions, first) - 1) : bisect_right(positions, last) + 1]
