"""Occurrences of strings in notes, and how often they are evidence there."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cclearn.notes import CODED_ASSERTIONS, CodedNote
from cclearn.notes.spans import Span
from cclearn.runtime.folding import lower_case

Words = tuple[str, ...]
"""Words of a string in lower case, without punctuation."""

_WORD = re.compile(r"\w+")


def string_words(text: str) -> Words:
    """Return the words of a string in lower case."""
    return tuple(_WORD.findall(lower_case(text)))


class Occurrence(NamedTuple):
    """An occurrence of a string in a text.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last character.
        words: Words of the string.
    """

    start: int
    end: int
    words: Words


class StringFinder:
    """Finds the longest strings in texts, from left to right. Case and punctuation are ignored.

    Args:
        strings: Words of the strings.
    """

    def __init__(self, strings: Iterable[Words]) -> None:
        self._strings = frozenset(words for words in strings if words)
        lengths: dict[str, set[int]] = defaultdict(set)
        for words in self._strings:
            lengths[words[0]].add(len(words))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def find(self, text: str) -> Iterator[Occurrence]:
        """Yield the occurrences in a text, in order. They do not overlap.

        The time is linear in the length of the text, times the number of lengths of the strings that
        begin with a word.
        """
        matches = list(_WORD.finditer(lower_case(text)))
        index = 0
        while index < len(matches):
            for length in self._lengths.get(matches[index].group(), ()):
                words = tuple(match.group() for match in matches[index : index + length])
                # At the end of the text, the slice may be shorter.
                if len(words) == length and words in self._strings:
                    yield Occurrence(
                        matches[index].start(), matches[index + length - 1].end(), words
                    )
                    index += length
                    break
            else:
                index += 1


def string_precision(notes: Iterable[CodedNote], finder: StringFinder) -> dict[Words, float]:
    """Return the share of the occurrences of each string that are evidence of a code.

    An occurrence is evidence if a piece of evidence of a code begins and ends with it, apart from
    punctuation. Negated codes and those of another person do not count. Strings that do not occur are
    left out.

    Args:
        notes: Notes with complete evidence.
        finder: Finder of the strings.
    """
    evidence: Counter[Words] = Counter()
    found: Counter[Words] = Counter()
    for note in notes:
        cited = {
            _span(piece.text, piece.start)
            for assigned in note.codes
            if assigned.assertion in CODED_ASSERTIONS
            for piece in assigned.evidence
        }
        for start, end, words in finder.find(note.text):
            found[words] += 1
            evidence[words] += (start, end) in cited
    return {words: evidence[words] / count for words, count in found.items()}


def _span(text: str, offset: int) -> Span | None:
    """Return the span of the words of a text that begins at an offset; None if it has no word."""
    matches = list(_WORD.finditer(text))
    return (offset + matches[0].start(), offset + matches[-1].end()) if matches else None
