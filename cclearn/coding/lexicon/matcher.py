"""Finds phrases in a run of words: in any order, one other word among three or more at the most."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from cclearn.coding.lexicon.normalise import JOINED, MARK

_BETWEEN = 1
"""How many other words may stand among the words of a phrase."""

_SAID_AGAIN = 1
"""How many marks and words of the phrase itself may stand there besides: `hypertensive heart disease
with heart failure` says "heart" twice."""

_NEGATIONS = frozenset("without no not non nor never".split())
_NEVER_BETWEEN = _NEGATIONS | {"malignant", "secondary", "benign"}
"""Words that would make another thing of the phrase around them."""


class Match(NamedTuple):
    """A phrase that was found: the numbers of its first and its last token, and what it stands for."""

    first: int
    last: int
    code: str


class _Phrase(NamedTuple):
    """A phrase of several words.

    Attributes:
        words: All of them, in order.
        rest: The words besides the two rarest, rarest first. They are placed in this order, and the
            place of one decides which place of the next is nearest: a rare word leaves the least choice.
        together: Whether no other word may stand among them, only marks and words that tell nothing.
        fixed: Whether they are two that turn round only about such a word: "cardiac asthma", not "asthma
            heart", but "asthma of the heart"; unlike "neoplasm of the kidney" and "kidney neoplasm".
        code: What it stands for.
    """

    words: tuple[str, ...]
    rest: tuple[str, ...]
    together: bool
    fixed: bool
    code: str


class _Found(NamedTuple):
    """A phrase where it was found, sorted by what is kept first of those that overlap."""

    fewer: int
    between: int
    reordered: bool
    first: int
    last: int
    code: str


class PhraseMatcher:
    """Finds phrases, each looked for at the two rarest of its words.

    Args:
        phrases: As `collect_phrases` returns them.
    """

    def __init__(self, phrases: Mapping[str, str]) -> None:
        frequency: Counter[str] = Counter()
        for phrase in phrases:
            frequency.update(_words(phrase))
        self._alone: dict[str, str] = {}
        # Phrases are kept as text, and read when their two rarest words meet: a hundred thousand
        # objects would take longer to make, and slow every garbage collection of the process.
        self._longer: dict[str, dict[str, str]] = {}
        for phrase, code in phrases.items():
            words = _words(phrase)
            if len(words) == 1:
                self._alone[words[0]] = code
            else:
                words.sort(key=frequency.__getitem__)
                rarest, second, *rest = words
                of_rarest = self._longer.setdefault(rarest, {})
                before = f"{of_rarest[second]}\n" if second in of_rarest else ""
                of_rarest[second] = f"{before}{phrase}\t{' '.join(rest)}\t{code}"
        self._beginnings = frozenset(self._longer)
        self._seconds = {word: frozenset(longer) for word, longer in self._longer.items()}

    def find(self, tokens: Sequence[tuple[str, ...]]) -> list[Match]:
        """Return the phrases of a run of words, in no order; no two overlap.

        Of two that overlap the one with more words is kept, then the one that stands closer together,
        then the one in its own order, then the first.

        Args:
            tokens: The words by which each token of the text is known: one, several or none.
        """
        words = list(chain.from_iterable(tokens))
        present = set(words)
        here: dict[str, list[int]] = {}
        written: list[int] = []
        found: list[_Found] = []
        for word in self._alone.keys() & present:
            here = here or _places(words)
            alone = self._alone[word]
            found += [_Found(-1, 0, False, place, place, alone) for place in here[word]]
        for word in present & self._beginnings:
            seconds = self._seconds[word]
            if present.isdisjoint(seconds):
                continue
            for second in present & seconds:
                for phrase in _read(self._longer[word][second]):
                    if present.issuperset(phrase.rest):
                        here = here or _places(words)
                        written = written or _written(tokens)
                        for place in here[word]:
                            for near in _beside(here[second], place, place):
                                own = {word: place, second: near}
                                _complete(phrase, own, words, written, here, found)
        if not found:
            return []
        found.sort()
        written = written or _written(tokens)
        taken: set[int] = set()
        kept = []
        for _, _, _, first, last, code in found:
            span = written[first : last + 1]
            if taken.isdisjoint(span):
                taken.update(span)
                kept.append(Match(written[first], written[last], code))
        return kept


def _words(phrase: str) -> list[str]:
    return [word for word in phrase.split(" ") if word != JOINED]


@lru_cache(maxsize=20_000)
def _read(phrases: str) -> list[_Phrase]:
    read = []
    for line in phrases.split("\n"):
        whole, rest, code = line.split("\t")
        words = tuple(_words(whole))
        together = len(words) == 2 or any(
            len(word) == 1 or word.isdigit() or word in _NEGATIONS for word in words
        )
        fixed = len(words) == 2 and JOINED not in whole.split(" ")
        read.append(_Phrase(words, tuple(rest.split()), together, fixed, code))
    return read


def _complete(
    phrase: _Phrase,
    own: dict[str, int],
    words: Sequence[str],
    written: Sequence[int],
    places: Mapping[str, list[int]],
    found: list[_Found],
) -> None:
    """Add the phrase to what was found if the rest of its words stand near the two that do."""
    first, last = min(own.values()), max(own.values())
    most = len(phrase.words) + _BETWEEN + _SAID_AGAIN
    if last - first >= most:
        return
    for word in phrase.rest:
        near = own[word] = _nearest(places[word], first, last)
        first, last = min(first, near), max(last, near)
    if last - first >= most:
        return
    taken = set(own.values())
    beside = {place + step for place in taken for step in (-1, 1)} - taken
    used = {written[place] for place in taken}
    if any(0 <= place < len(words) and written[place] in used for place in beside):
        return  # "Cancer" stands for two words: one of them alone is not said.
    between = [words[place] for place in range(first, last + 1) if place not in taken]
    if not _NEVER_BETWEEN.isdisjoint(between):
        return
    order = [own[word] for word in phrase.words]
    reordered = order != sorted(order)
    if reordered and phrase.fixed and written[last] - written[first] == 1:
        return
    foreign = sum(word != MARK and word not in phrase.words for word in between)
    if foreign > (0 if phrase.together else _BETWEEN):
        return
    found.append(_Found(-len(order), len(between), reordered, first, last, phrase.code))


def _written(tokens: Sequence[tuple[str, ...]]) -> list[int]:
    """Return the number of the token that each word comes from."""
    return [number for number, said in enumerate(tokens) for _ in said]


def _places(words: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    return places


def _beside(places: list[int], first: int, last: int) -> list[int]:
    """Return those between two places, the last one before them and the first one behind."""
    return places[max(0, bisect_left(places, first) - 1) : bisect_right(places, last) + 1]


def _nearest(places: list[int], first: int, last: int) -> int:
    beside = _beside(places, first, last)
    return min(beside, key=lambda place: max(first - place, place - last, 0))
