"""Ranks codes for evidence in another language, by the search of ICD-10-CM in English."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.normalise import IGNORED
from cclearn.codes.clinical_terms.phrases import phrase_rows
from cclearn.codes.strings import code_strings
from cclearn.coding.span_loop.word_table import WordTable, words_of
from cclearn.notes import SpanPair

_MAX_CODES = 60
"""Maximum number of codes that are ranked for each text."""


class TranslatedRanking:
    """Ranks codes by the English words of a span.

    Strings of the code system and of span pairs that are not in English are texts whose English titles
    are known: those of their codes. A table of words is learnt from them (`WordTable`). A span is
    translated word by word, and ICD-10-CM is searched for these words, with its titles, index and
    clinical phrases (`CodeSystem.search`). A code that the code system does not have is replaced by the
    longest one that it begins with.

    Args:
        system: Code system whose codes are ranked. Its codes are those of an edition of the ICD-10.
        pairs: Span pairs in the language of the notes.
    """

    weight = 6.0

    def __init__(self, system: CodeSystem, pairs: Iterable[SpanPair] = ()) -> None:
        self._system = system
        self._english = CodeSystem.load()
        self._pairs = list(dict.fromkeys((pair.text, pair.code) for pair in pairs))

    def rank(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the codes of each text, best first. Headers are included."""
        for text in texts:
            words = self._table.translate(text)
            hits = self._english.search(words, _MAX_CODES, billable=True) if words else []
            codes = (_longest(hit.code.code, self._system) for hit in hits)
            yield list(dict.fromkeys(code for code in codes if code))

    @cached_property
    def _table(self) -> WordTable:
        strings = (string.text for string in code_strings(self._english))
        phrases = (text for _, _, text in phrase_rows(self._english))
        vocabulary = Counter(word for text in (*strings, *phrases) for word in words_of(text))
        return WordTable(self._titled(), vocabulary, IGNORED)

    def _titled(self) -> Iterator[tuple[str, str]]:
        """Yield each text in the language of the notes with the English title of its code."""
        strings = ((string.text, string.code) for string in code_strings(self._system))
        for text, code in (*strings, *self._pairs):
            known = _longest(code, self._english)
            if known:
                title = self._english.description(known)
                if text != title:
                    yield text, title


def _longest(code: str, system: CodeSystem) -> str:
    """Return the longest code of a code system that a code begins with; empty without one."""
    while code and code not in system:
        code = code[:-1].rstrip(".")
    return code
