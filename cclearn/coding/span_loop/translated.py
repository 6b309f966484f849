"""Ranks codes for evidence in another language, by the search of ICD-10-CM in English."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.normalise import IGNORED
from cclearn.codes.clinical_terms.phrases import phrase_rows
from cclearn.codes.strings import code_strings
from cclearn.coding.span_loop.word_table import WordTable, words_of
from cclearn.errors import ConfigurationError, shown_id
from cclearn.notes import SpanPair

_MAX_CODES, _MAX_HITS = 60, 200
"""Maximum number of codes that are ranked for each text, and of the codes of ICD-10-CM among which they
are searched."""

_MAX_WORDS = 50
"""Maximum number of words of a text that are searched. It limits the time for a long text."""

_LEAST_SHARE = 0.5
"""Least share of the codes of a code system whose category ICD-10-CM has."""

_UNINFORMATIVE = frozenset("and or with elsewhere classified unspecified other".split())
"""Words of titles that name no condition."""

_CATEGORY = re.compile(r"[A-Z]\d[0-9A-Z]")


class TranslatedRanking:
    """Ranks codes by the English words of a span.

    Strings of the code system and of span pairs that are not in English are texts whose English titles
    are known: those of their codes. A table of words is learnt from them (`WordTable`). A span is
    translated word by word, and ICD-10-CM is searched for these words, with its titles, index and
    clinical phrases (`CodeSystem.search`). A code that the code system does not have is replaced by the
    longest one that it begins with.

    Attributes:
        weight: Weight of the ranking in the fusion.

    Args:
        system: Code system whose codes are ranked. They are those of an edition of the ICD-10, with or
            without dots.
        pairs: Span pairs in the language of the notes.

    Raises:
        ConfigurationError: The codes are not those of an edition of the ICD-10.
    """

    weight = 6.0

    def __init__(self, system: CodeSystem, pairs: Iterable[SpanPair] = ()) -> None:
        self._system = system
        self._english = CodeSystem.load()
        self._pairs = list(dict.fromkeys((pair.text, pair.code) for pair in pairs))
        billable = system.billable_codes()
        known = sum(code[:3] in self._english and _is_icd10(code) for code in billable)
        if known < _LEAST_SHARE * len(billable):
            raise ConfigurationError(
                [
                    f"translate (code system = {shown_id(system.name)}): most of its codes are no codes"
                    " of the ICD-10, whose English titles are known. Use translate=false."
                ]
            )

    def rank(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the codes of each text, best first. Headers are included."""
        for text in texts:
            words = " ".join(self._table.translate(text).split(" ")[:_MAX_WORDS])
            hits = self._english.search(words, _MAX_HITS, billable=True) if words else []
            codes = (longest_known(hit.code.code, self._system) for hit in hits)
            yield list(dict.fromkeys(filter(None, codes)))[:_MAX_CODES]

    @cached_property
    def _table(self) -> WordTable:
        strings = (string.text for string in code_strings(self._english))
        phrases = (text for _, _, text in phrase_rows(self._english))
        vocabulary = Counter(word for text in (*strings, *phrases) for word in words_of(text))
        return WordTable(self._titled(), vocabulary, IGNORED | _UNINFORMATIVE)

    def _titled(self) -> Iterator[tuple[str, str]]:
        """Yield each text in the language of the notes with the English title of its code.

        Titles of external causes are left out, because they are no phrases of notes.
        """
        causes = self._english.traits.external_causes_chapter
        strings = ((string.text, string.code) for string in code_strings(self._system))
        for text, code in (*strings, *self._pairs):
            known = longest_known(code, self._english) if _is_icd10(code) else None
            if known is not None and self._english.chapter(known) != causes:
                title = self._english.description(known)
                if text != title:
                    yield text, title


def longest_known(code: str, system: CodeSystem) -> str | None:
    """Return the longest code of a code system that a code of the ICD-10 begins with.

    Args:
        code: Code with or without a dot.
        system: Code system whose codes are written with or without dots.

    Returns:
        The code as the code system writes it, at least a category. None if there is none.
    """
    characters = code.replace(".", "")
    for end in range(len(characters), 2, -1):
        plain = characters[:end]
        for written in (f"{plain[:3]}.{plain[3:]}" if end > 3 else plain, plain):
            if written in system:
                return system.canonical(written)
    return None


def _is_icd10(code: str) -> bool:
    return _CATEGORY.match(code) is not None
