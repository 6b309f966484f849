"""The dictionary of training spans: the simplest system that cites evidence."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from cclearn.notes import AssignedCode, CodedNote, Evidence, Note, SpanPair

LEAST_PRECISION = 0.2
"""A string is used if at least this share of its occurrences in the documents is evidence."""

_WORD = re.compile(r"\w+")
_Words = tuple[str, ...]


class Dictionary:
    """Codes every occurrence of a training span with the most frequent code of the span.

    At each word of a note, the longest string is taken. Case and punctuation are ignored.

    Args:
        pairs: Span pairs.
        documents: Notes with complete evidence, in which the precision of a string is counted. A string
            that they do not contain is used.
    """

    def __init__(self, pairs: Iterable[SpanPair], documents: Sequence[CodedNote]) -> None:
        codes: dict[_Words, Counter[str]] = defaultdict(Counter)
        for pair in pairs:
            if words := _words(pair.text):
                codes[words][pair.code] += 1
        # Ties are broken by the code, so that the order of the pairs has no influence.
        self._codes = {
            words: min(counts, key=lambda code: (-counts[code], code))
            for words, counts in codes.items()
        }
        lengths: dict[str, set[int]] = defaultdict(set)
        for words in self._codes:
            lengths[words[0]].add(len(words))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        self._remove_imprecise(documents)

    def _remove_imprecise(self, documents: Sequence[CodedNote]) -> None:
        evidence: Counter[_Words] = Counter()
        found: Counter[_Words] = Counter()
        for note in documents:
            spans = {(e.start, e.end) for code in note.codes for e in code.evidence}
            evidence.update(_words(note.text[start:end]) for start, end in spans)
            found.update(words for _, _, words in self._occurrences(note.text))
        for words, count in found.items():
            if evidence[words] / count < LEAST_PRECISION:
                del self._codes[words]

    def code(self, note: Note) -> CodedNote:
        """Return a note with the codes of the strings that it contains, in the order of the codes."""
        evidence: dict[str, list[Evidence]] = defaultdict(list)
        for start, end, words in self._occurrences(note.text):
            evidence[self._codes[words]].append(
                Evidence(start=start, end=end, text=note.text[start:end])
            )
        codes = [AssignedCode(code=code, evidence=evidence[code]) for code in sorted(evidence)]
        return CodedNote(id=note.id, text=note.text, codes=codes)

    def _occurrences(self, text: str) -> Iterator[tuple[int, int, _Words]]:
        """Yield the longest strings in a text with their offsets."""
        words = [(m.start(), m.end(), m.group().casefold()) for m in _WORD.finditer(text)]
        index = 0
        while index < len(words):
            for length in self._lengths.get(words[index][2], ()):
                key = tuple(word for _, _, word in words[index : index + length])
                if len(key) == length and key in self._codes:
                    yield words[index][0], words[index + length - 1][1], key
                    index += length
                    break
            else:
                index += 1


def _words(text: str) -> _Words:
    return tuple(match.group().casefold() for match in _WORD.finditer(text))
