"""The coder without a model: phrases of the code system, found in the note, read with assertion rules.

The baseline that every model must beat. Matching is Aho–Corasick (pyahocorasick) over words, chosen
by `benchmarks/phrase_matching.py`: it starts in a fraction of the time of spaCy's PhraseMatcher.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from cclearn.codes import CodeSystem
from cclearn.codes.claims import Claims
from cclearn.codes.search import search
from cclearn.codes.strings import PRECEDENCE, code_strings
from cclearn.coding.coder import Coder, Usage
from cclearn.coding.findings import Finding, Reading
from cclearn.files import (
    cache_file,
    making_many_objects,
    read_sealed,
    sha256_of_text,
    write_sealed,
)
from cclearn.notes import Note, Origin
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.sections import find_sections

if TYPE_CHECKING:
    from cclearn.notes import SpanPair

_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|(?P<stop>(?<!\b[^\W\d_])\.|[;:!?|]|\n\s*\n)")
"""Numbers, words, and the marks over which no phrase reaches; the dot of "E. coli" is none."""

# External causes are coded from circumstances, not from a word such as "street" or "bed".
_SKIPPED_CHAPTERS = {"icd10cm": "20", "icd9cm": "19"}

_MAY_STOP = re.compile(r" [.;:!?|] |\n")
"""A stop among the words of a phrase."""

_FUNCTION_WORDS = frozenset(
    "other others unspecified specified and or of the in with without to for by not elsewhere "
    "classified nos nec type due site left right bilateral all any from on at as".split()
)

_PHRASES_VERSION = 4
"""Raised whenever the phrases are chosen differently, so that an older cache is rebuilt."""

_NEAREST = 20
"""How many codes, headers too, are searched for a span."""

_SHORT = 3
"""A phrase of a single word this short is no evidence unless the note writes it in capitals."""


class LexiconCoder(Coder):
    """Phrase matching over titles, inclusion terms and "Includes" notes, the longest match first.

    A phrase that stands for a header is given its unspecified child.

    Args:
        system: The code system.
        pairs: Further strings, e.g. a builder's; they win over the system's own.
    """

    def __init__(self, system: CodeSystem, pairs: Iterable[SpanPair] = ()) -> None:
        self.name = "lexicon"
        self.system = system
        self.usage = Usage()
        self._extra = {_phrase(pair.text): system.canonical(pair.code) for pair in pairs}
        self.model_sha256 = sha256_of_text(f"{_PHRASES_VERSION} {sorted(self._extra.items())}")

    def read_many(self, notes: Iterable[Note]) -> Iterator[Reading]:
        """Find the phrases of each note."""
        return (Reading(note, self.find(note.text)) for note in notes)

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Return the code of the phrase that a span is or holds, then those that a search finds."""
        for text in texts:
            found = [hit.code for hit in search(self.system, text, _NEAREST)]
            nearest = [code.code for code in found if code.billable]
            yield list(dict.fromkeys([*self.codes_of(text), *nearest]))

    def codes_of(self, text: str) -> list[str]:
        """Return the code of the phrase that a text is, and of the longest one that it holds."""
        whole = self.phrases.get(_phrase(text))
        longest = max(self.find(text), key=lambda f: f.end - f.start, default=None)
        found = [whole, longest.code if longest else None]
        return list(dict.fromkeys(code for code in found if code))

    def find(self, text: str) -> list[Finding]:
        """Return every match in a note, in order, with its assertion; no two overlap."""
        framed, starts, spans = _haystack(text)
        rules = AssertionRules(text)
        # "History of present illness" is no illness.
        headers = [(s.start, s.body) for s in find_sections(text) if s.has_known_header]
        findings = []
        for last, (length, code) in self._automaton.iter_long(framed):
            first_word = starts[last - length + 1]
            last_word = starts.get(last + 1, len(spans)) - 1
            start, end = spans[first_word][0], spans[last_word][1]
            if first_word == last_word and end - start <= _SHORT and not text[start:end].isupper():
                continue
            if any(first <= start < last for first, last in headers):
                continue
            findings.append(Finding(code, start, end, assertion=rules.of(start, end)))
        return findings

    @cached_property
    def phrases(self) -> dict[str, str]:
        """The framed phrases and the billable code of each; kept in the cache folder."""
        source = f"{self.system.source} lexicon {_PHRASES_VERSION}"
        path = cache_file(self.system.name, source, "lexicon.tsv")
        content = read_sealed(path, source)
        if content is None:
            with making_many_objects():
                collected = self._collect()
            content = "\n".join(f"{p}\t{c}" for p, c in collected.items()).encode()
            # A read-only home only costs the time of the next start.
            with contextlib.suppress(OSError):
                write_sealed(path, content, source)
        lines = content.decode().split("\n")
        return dict(line.split("\t") for line in lines) | self._extra

    def _collect(self) -> dict[str, str]:
        claims = Claims(_phrase)
        for string in code_strings(self.system):
            claims.add(string.text, string.code, PRECEDENCE.index(string.field))
        resolved = {}
        for phrase, codes in claims:
            if _MAY_STOP.search(phrase):
                continue  # No note could match it.
            code = self._resolve(codes)
            if code is not None and not _FUNCTION_WORDS.issuperset(phrase.split()):
                resolved[phrase] = code
        return resolved

    def _resolve(self, codes: tuple[str, ...]) -> str | None:
        """Return the billable code that all claimants stand for, None when they differ."""
        billable = {self._stands_for(code) for code in codes}
        return billable.pop() if len(billable) == 1 else None

    @cache  # noqa: B019 - there are few lexicons, and each code is asked often
    def _stands_for(self, code: str) -> str | None:
        found = self.system.unspecified(code)
        skipped = _SKIPPED_CHAPTERS.get(self.system.name)
        return None if found is None or self.system.chapter(found) == skipped else found

    @cached_property
    def _automaton(self) -> Any:
        import ahocorasick

        automaton = ahocorasick.Automaton()
        for phrase, code in self.phrases.items():
            automaton.add_word(phrase, (len(phrase), code))
        automaton.make_automaton()
        return automaton


def _lower(text: str) -> str:
    """Lower-case position by position: `İ` lower-cased as a whole would become two characters."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _phrase(text: str) -> str:
    """Spell a text as words, each framed by blanks of its own, so that neighbours share none."""
    return "".join(f" {match[0]} " for match in _TOKEN.finditer(_lower(text)))


def _haystack(text: str) -> tuple[str, dict[int, int], list[tuple[int, int]]]:
    """Spell a note as framed words.

    Returns:
        The framed words; for the position of each frame the index of its word; and each word's
        offsets in the note.
    """
    pieces: list[str] = []
    starts: dict[int, int] = {}
    spans: list[tuple[int, int]] = []
    position = 0
    for match in _TOKEN.finditer(_lower(text)):
        word = "\n" if match["stop"] else match[0]
        starts[position] = len(spans)
        spans.append(match.span())
        pieces.append(f" {word} ")
        position += len(word) + 2
    return "".join(pieces), starts, spans
