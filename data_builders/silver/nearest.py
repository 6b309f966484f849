"""Evidence without a model: the words of a note that are nearest to the strings of a code."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings
from cclearn.coding.findings import Finding
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.trigrams import Trigrams
from cclearn.notes import CODED_ASSERTIONS, CodedNote
from cclearn.notes.assertion import AssertionLanguage, AssertionRules
from cclearn.notes.sections import find_sentences
from cclearn.notes.spans import Span
from data_builders.strings_in_notes import StringFinder, Words, string_words

_LONGEST = 8
"""Maximum number of words of a span that is compared with strings by its characters."""

_TITLE_SCORE = 0.85
"""Score of a title of the code system that occurs in the note."""

_SAME_CODE, _SAME_CATEGORY = 0.9, 0.6
"""Scores of a phrase that the lexicon reads as the code, or as another code of its category."""

_ALIKE = 0.8
"""Score of a span whose character trigrams are those of a string."""

_SAME_CATEGORY_STRING = 0.7
"""Factor of the similarity to a string of another code of the category."""

_TRIED = 20
"""Number of the most similar spans of which the first one that is asserted is taken."""

_CATEGORY = 3
"""Number of characters of a category."""

_WORD = re.compile(r"\w+")

_BREAK = re.compile(r"[.;:,()\[\]\n]")
"""Matches the marks between two words that no span crosses."""


class FoundEvidence(NamedTuple):
    """A span of a note that is probably evidence of a code.

    Attributes:
        start: Offset of the first character.
        end: Offset after the last character.
        score: Score between 0 and 1. None for a span that a model cites.
        source: What the span was compared with: `evidence` of other notes, `title`, `lexicon` or
            `characters`; or `model`.
    """

    start: int
    end: int
    score: float | None
    source: str


class NearestEvidence:
    """Finds the evidence of given codes.

    A string of the code that occurs in the note is its evidence. Its score is the share of its
    occurrences, in other notes with the code, that are evidence of it. Without such a string, it is the
    phrase that the lexicon reads as the code, and otherwise the span whose character trigrams are most
    similar to those of a string (TF-IDF, cosine). Strings of the codes above it, and of those of its
    category in other notes, count a little less.

    Args:
        system: Code system of the codes.
        notes: Coded notes with complete evidence, whose strings are used.
        language: Language of the assertion rules. Mentions that they negate are no evidence. `off` is
            for notes in other languages, which the lexicon does not read either.
    """

    def __init__(
        self,
        system: CodeSystem,
        notes: Iterable[CodedNote] = (),
        language: AssertionLanguage = "english",
    ) -> None:
        self._system = system
        self._language: AssertionLanguage = language
        self._lexicon = LexiconCoder(system) if language != "off" else None
        self._strings = string_scores(list(notes))
        self._titles: dict[str, list[str]] = defaultdict(list)
        self._categories: dict[str, list[str]] = defaultdict(list)
        for string in code_strings(system):
            self._titles[string.code].append(string.text)
        for code in self._strings:
            self._categories[code[:_CATEGORY]].append(code)
        self._vectors: dict[str, Any] = {}

    def find(self, text: str, codes: Sequence[str]) -> list[list[FoundEvidence]]:
        """Return the evidence of each code, in order of mention; an empty list if there is none.

        Args:
            text: Text of the note.
            codes: Codes of the note.
        """
        rules = AssertionRules(text, self._language)
        findings = self._lexicon.find(text) if self._lexicon else []
        windows = _Windows(text)
        return [self._evidence(text, code, rules, findings, windows) for code in codes]

    def _evidence(
        self,
        text: str,
        code: str,
        rules: AssertionRules,
        findings: Sequence[Finding],
        windows: _Windows,
    ) -> list[FoundEvidence]:
        def asserted(start: int, end: int) -> bool:
            return rules.assertion_of(start, end) in CODED_ASSERTIONS

        strings = self._strings.get(code, {})
        found = [
            FoundEvidence(start, end, strings[words], "evidence")
            for start, end, words in StringFinder(strings).find(text)
            if asserted(start, end)
        ]
        if found:
            return found
        for same, score in ((code, _SAME_CODE), (code[:_CATEGORY], _SAME_CATEGORY)):
            found = [
                FoundEvidence(f.start, f.end, score, "lexicon")
                for f in findings
                if f.code.startswith(same) and f.assertion in CODED_ASSERTIONS
            ]
            if found:
                return found
        titles = {string_words(title) for title in self._titles.get(code, ())}
        found = [
            FoundEvidence(start, end, _TITLE_SCORE, "title")
            for start, end, _ in StringFinder(titles).find(text)
            if asserted(start, end)
        ]
        return found or self._most_similar(code, windows, asserted)

    def _most_similar(
        self, code: str, windows: _Windows, asserted: Callable[[int, int], bool]
    ) -> list[FoundEvidence]:
        """Return the span that is most similar to a string of the code or of its category."""
        import numpy as np

        if not windows.spans:
            return []
        vectors = windows.vectors(self._trigrams)
        best = np.zeros(len(windows.spans), dtype=np.float32)
        for other in dict.fromkeys([code, *self._near(code)]):
            strings = self._vectors_of(other)
            if strings is not None:
                alike = (vectors @ strings.T).max(axis=1).toarray().ravel()
                best = np.maximum(best, alike if other == code else _SAME_CATEGORY_STRING * alike)
        denied: list[Span] = []
        # Of equally similar spans, the first and shortest one.
        for index in np.argsort(-best, kind="stable")[:_TRIED]:
            start, end = windows.spans[index]
            # One word more or less than a negated mention may hide from the rules that it is negated.
            if best[index] <= 0 or any(start < last and first < end for first, last in denied):
                continue
            if asserted(start, end):
                return [FoundEvidence(start, end, _ALIKE * float(best[index]), "characters")]
            denied.append((start, end))
        return []

    def _near(self, code: str) -> list[str]:
        """Return the codes above a code, and those of its category that other notes have."""
        above = self._system.ancestors(code) if code in self._system else []
        return [*(c for c in above if len(c) >= _CATEGORY), *self._categories[code[:_CATEGORY]]]

    def _vectors_of(self, code: str) -> Any:
        """Return the vectors of the strings of a code, shape (strings, trigrams). None without one."""
        if code not in self._vectors:
            texts = [" ".join(words) for words in self._strings.get(code, {})]
            texts += self._titles.get(code, [])
            trigrams = self._trigrams
            vectors = trigrams.weigh(trigrams.count(texts)) if texts else None
            self._vectors[code] = vectors
        return self._vectors[code]

    @cached_property
    def _trigrams(self) -> Trigrams:
        titles = [text for texts in self._titles.values() for text in texts]
        others = [" ".join(words) for strings in self._strings.values() for words in strings]
        return Trigrams([*titles, *others])


class _Windows:
    """The runs of words of a note that may be evidence, none of which crosses a mark.

    Args:
        text: Text of the note.

    Attributes:
        spans: Spans of the runs.
    """

    def __init__(self, text: str) -> None:
        self._vectors: Any = None
        self._words: list[str] = []
        self._runs: list[tuple[int, int]] = []  # Numbers of the first and the last word.
        self.spans: list[Span] = []
        for first, last in find_sentences(text):
            offset = len(self._words)
            words = [match.span() for match in _WORD.finditer(text, first, last)]
            for number, (start, _) in enumerate(words):
                for other in range(number, min(number + _LONGEST, len(words))):
                    if other > number and _BREAK.search(text, words[other - 1][1], words[other][0]):
                        break
                    self._runs.append((offset + number, offset + other))
                    self.spans.append((start, words[other][1]))
            self._words += [text[start:end] for start, end in words]

    def vectors(self, trigrams: Trigrams) -> Any:
        """Return the vectors of the spans, shape (spans, trigrams)."""
        if self._vectors is None:
            import numpy as np
            from scipy.sparse import csr_matrix

            columns = [number for first, last in self._runs for number in range(first, last + 1)]
            ends = np.cumsum([0, *(last - first + 1 for first, last in self._runs)])
            shape = len(self._runs), len(self._words)
            ones = np.ones(len(columns), dtype=np.float32)
            words_of_spans = csr_matrix((ones, columns, ends), shape=shape)
            self._vectors = trigrams.weigh(words_of_spans @ trigrams.count(self._words))
        return self._vectors


def string_scores(notes: Sequence[CodedNote]) -> dict[str, dict[Words, float]]:
    """Return the strings of each code, with the share of their occurrences that are evidence of it.

    Only notes with the code count. The share is smoothed by one occurrence of which a half is evidence.

    Args:
        notes: Coded notes with complete evidence.
    """
    evidence: dict[str, Counter[Words]] = defaultdict(Counter)
    for note in notes:
        for assigned in note.codes:
            if assigned.assertion in CODED_ASSERTIONS:
                for words in filter(None, (string_words(e.text) for e in assigned.evidence)):
                    evidence[assigned.code][words] += 1
    found: dict[str, Counter[Words]] = defaultdict(Counter)
    for note in notes:
        for assigned in note.codes:
            for occurrence in StringFinder(evidence[assigned.code]).find(note.text):
                found[assigned.code][occurrence.words] += 1
    return {
        code: {
            words: (count + 0.5) / (max(count, found[code][words]) + 1)
            for words, count in counts.items()
        }
        for code, counts in evidence.items()
    }
