"""The coder without a model, which matches phrases and applies assertion rules.

It is the baseline that every model must beat.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.codes.search import search
from cclearn.coding.base import Coder
from cclearn.coding.findings import Finding, Reading
from cclearn.coding.lexicon.matcher import PhraseMatcher
from cclearn.coding.lexicon.normalise import STOP, TOKEN, WORDING
from cclearn.coding.lexicon.phrases import collect_phrases, phrase_words, same_words
from cclearn.coding.lexicon.tables import tables_sha256
from cclearn.notes import Note, Origin
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.folding import lower_case
from cclearn.runtime.caches import cache_file, read_sealed, write_sealed
from cclearn.runtime.files import garbage_collection_paused, sha256_of_text

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter
    from cclearn.notes import SpanPair

_PHRASES_VERSION = 6
"""Version of the selection of phrases. Increase it to rebuild older caches."""

_NEAREST = 20
"""Number of codes, including headers, that the search returns for a span."""

_STOP_WORDS = (STOP,)
"""Normalised words of a token that ends a run of words."""

_SHORT = 3
"""A single word of at most this length is evidence only if the note writes it in capitals."""


class LexiconCoder(Coder):
    """Matches titles, inclusion terms, "Includes" notes and a table of clinical phrases.

    The words of a phrase may occur in any order and in any equivalent spelling. A phrase of a header
    receives the unspecified child of the header.

    Args:
        system: Code system whose codes are assigned.
        pairs: Span pairs with additional phrases, which replace equal phrases of the code system.
        calibration: Calibration of the scores. None leaves the scores raw.
        encounter: Setting of the notes. None if it is not known.
    """

    def __init__(
        self,
        system: CodeSystem,
        pairs: Iterable[SpanPair] = (),
        *,
        calibration: Calibration | None = None,
        encounter: Encounter | None = None,
    ) -> None:
        super().__init__("lexicon", system, calibration=calibration, encounter=encounter)
        self._extra = {phrase_words(pair.text): system.canonical(pair.code) for pair in pairs}
        self._version = f"{_PHRASES_VERSION} {tables_sha256()}"
        self.model_sha256 = sha256_of_text(f"{self._version} {sorted(self._extra.items())}")

    def prepare(self) -> None:
        """Build the matcher and read the tables of the rules."""
        self.code("Asthma.")

    def read_many(self, notes: Iterable[Note]) -> Iterator[Reading]:
        """Yield the findings of each note."""
        return (Reading(note, self.find(note.text)) for note in notes)

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the codes of the phrases in each span, followed by the results of a search."""
        for text in texts:
            found = [hit.code for hit in search(self.system, text, _NEAREST)]
            nearest = [code.code for code in found if code.billable]
            yield list(dict.fromkeys([*self.codes_of(text), *nearest]))

    def codes_of(self, text: str) -> list[str]:
        """Return the code of a text that is a phrase, and the code of the longest phrase in it."""
        whole = self.phrases.get(phrase_words(text))
        longest = max(self.find(text), key=lambda f: f.end - f.start, default=None)
        found = [whole, longest.code if longest else None]
        return list(dict.fromkeys(code for code in found if code))

    def find(self, text: str) -> list[Finding]:
        """Return the matches in a note, in order, with their assertions. No two matches overlap."""
        rules = AssertionRules(text)
        findings = []
        for start, end, code in self._matches(text):
            section = rules.section_at(start)
            # The heading "History of present illness" is not evidence of an illness.
            if start >= section.body or not section.has_known_header:
                findings.append(Finding(code, start, end, assertion=rules.assertion_of(start, end)))
        return findings

    def _matches(self, text: str) -> list[tuple[int, int, str]]:
        """Return the offsets and the code of each phrase, in order."""
        lowered = lower_case(text)
        # Match objects are avoided, because the garbage collection of thousands of them would take a
        # fifth of the time.
        tokens = TOKEN.findall(lowered)
        known = list(map(WORDING.__getitem__, tokens))
        starts = _starts(tokens, lowered)
        stops = [number for number, words in enumerate(known) if words == _STOP_WORDS]
        matches: list[tuple[int, int, str]] = []
        begin = 0
        for stop in [*stops, len(known)]:
            for first, last, code in self._matcher.find(known[begin:stop]):
                start = starts[begin + first]
                end = starts[begin + last] + len(tokens[begin + last])
                phrase = text[start:end]
                if first < last or len(phrase) > _SHORT or phrase.isupper():
                    matches.append((start, end, code))
            begin = stop + 1
        return sorted(matches)

    @cached_property
    def phrases(self) -> dict[str, str]:
        """The billable code of each phrase, by its words. The cache folder keeps them."""
        source = f"{self.system.source} lexicon {self._version}"
        path = cache_file(self.system.name, source, "lexicon.tsv")
        content = read_sealed(path, source)
        if content is None:
            with garbage_collection_paused():
                collected = self._collect()
            content = "\n".join(f"{p}\t{c}" for p, c in collected.items()).encode()
            # If the cache cannot be written, the next start takes longer.
            with contextlib.suppress(OSError):
                write_sealed(path, content, source)
        # A code system whose titles contain no word has no phrases.
        lines = content.decode().split("\n") if content else []
        phrases = dict(line.split("\t") for line in lines)
        if self._extra:
            replaced = set(map(same_words, self._extra))
            phrases = {w: code for w, code in phrases.items() if same_words(w) not in replaced}
        return phrases | self._extra

    def _collect(self) -> dict[str, str]:
        return collect_phrases(self.system)

    @cached_property
    def _matcher(self) -> PhraseMatcher:
        with garbage_collection_paused():
            return PhraseMatcher(self.phrases)


def _starts(tokens: list[str], text: str) -> list[int]:
    """Return the start of each token. It is exact for words, since the gaps contain no word."""
    starts = []
    position = 0
    for token in tokens:
        position = text.find(token, position)
        starts.append(position)
        position += len(token)
    return starts
