"""The dictionary of training spans: the simplest system that cites evidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence, Note, SpanPair
from data_builders.strings_in_notes import StringFinder, Words, string_precision, string_words

LEAST_PRECISION = 0.2
"""A string is used if at least this share of its occurrences in the documents is evidence."""


class Dictionary:
    """Codes every occurrence of a training span with the most frequent code of the span.

    At each word of a note, the longest string is taken. Case and punctuation are ignored. The score of a
    code is the precision of the string times the share of the code among its pairs, the largest of all
    strings of the code in the note.

    Args:
        pairs: Span pairs.
        documents: Notes with complete evidence, in which the precision of a string is counted. A string
            that they do not contain is used.
    """

    def __init__(self, pairs: Iterable[SpanPair], documents: Sequence[CodedNote]) -> None:
        codes: dict[Words, Counter[str]] = defaultdict(Counter)
        for pair in pairs:
            codes[string_words(pair.text)][pair.code] += 1
        precision = string_precision(documents, StringFinder(codes))
        # Ties are broken by the code, so that the order of the pairs has no influence.
        self._codes = {
            words: min(counts, key=lambda code: (-counts[code], code))
            for words, counts in codes.items()
            if precision.get(words, 1.0) >= LEAST_PRECISION
        }
        self._scores = {
            words: precision.get(words, 1.0) * codes[words][code] / codes[words].total()
            for words, code in self._codes.items()
        }
        self._finder = StringFinder(self._codes)

    def code(self, note: Note) -> CodedNote:
        """Return a note with the codes of the strings that it contains, in the order of the codes."""
        evidence: dict[str, list[Evidence]] = defaultdict(list)
        scores: dict[str, float] = defaultdict(float)
        for start, end, words in self._finder.find(note.text):
            piece = Evidence(start=start, end=end, text=note.text[start:end])
            code = self._codes[words]
            evidence[code].append(piece)
            scores[code] = max(scores[code], self._scores[words])
        codes = [
            AssignedCode(code=code, score=scores[code], evidence=evidence[code])
            for code in sorted(evidence)
        ]
        return CodedNote(id=note.id, text=note.text, codes=codes)


def evidence_pairs(notes: Iterable[CodedNote], system: CodeSystem) -> Iterator[SpanPair]:
    """Yield a span pair for each piece of evidence, whether or not its code is in the release."""
    for note in notes:
        for assigned in note.codes:
            for number, piece in enumerate(assigned.evidence):
                yield SpanPair(
                    id=f"{note.id}-{assigned.code}-{number}",
                    text=piece.text,
                    code=assigned.code,
                    system=system.name,
                    release=system.release,
                    grade="gold",
                    source="evidence",
                    origin=note.origin,
                )
