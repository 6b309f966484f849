"""The coder without a model, which matches phrases and applies assertion rules.

It is the baseline that every model must beat.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.codes.search import search
from cclearn.coding.base import Coder
from cclearn.coding.findings import Finding, NoteFindings
from cclearn.coding.lexicon.matcher import PhraseMatcher
from cclearn.coding.lexicon.normalise import BOUNDARY, NORMALISED_WORDS, TOKEN
from cclearn.coding.lexicon.phrases import collect_phrases, phrase_words, word_set
from cclearn.coding.lexicon.tables import tables_sha256
from cclearn.notes import Note, Origin
from cclearn.notes.assertion import AssertionLanguage, AssertionRules
from cclearn.notes.folding import lower_case
from cclearn.runtime.caches import cache_file, read_sealed, write_sealed
from cclearn.runtime.files import sha256_of_text
from cclearn.runtime.garbage_collection import paused_garbage_collection

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter
    from cclearn.notes import SpanPair

_PHRASES_VERSION = 6
"""Version of the selection of phrases. Increase it to rebuild older caches."""

_MAX_SEARCH_RESULTS = 20
"""Maximum number of codes, including headers, that the search returns for a span."""

_BOUNDARY_WORDS = (BOUNDARY,)
"""Normalised words of a token that no phrase extends across."""

_MAX_ABBREVIATION = 3
"""A single word of at most this number of characters is evidence only if it is in capitals."""


class LexiconCoder(Coder):
    """Matches titles, inclusion terms, "Includes" notes and a table of clinical phrases.

    The words of a phrase may occur in any order and in any equivalent spelling. A phrase of a header
    receives the unspecified child of the header.

    Args:
        system: Code system whose codes are assigned.
        pairs: Span pairs with additional phrases, which replace equal phrases of the code system. Of
            several codes of a phrase, the most frequent one counts, and of equally frequent ones the
            first.
        calibration: Calibration of the scores. None leaves the scores raw.
        encounter: Setting of the notes. None if it is not known.
        assertion: Language of the assertion rules. `off` codes all mentions.
    """

    def __init__(
        self,
        system: CodeSystem,
        pairs: Iterable[SpanPair] = (),
        *,
        calibration: Calibration | None = None,
        encounter: Encounter | None = None,
        assertion: AssertionLanguage = "english",
    ) -> None:
        super().__init__(
            "lexicon", system, calibration=calibration, encounter=encounter, assertion=assertion
        )
        self._extra = _most_frequent_codes(system, pairs)
        self._version = f"{_PHRASES_VERSION} {tables_sha256()}"
        self.model_sha256 = sha256_of_text(f"{self._version} {sorted(self._extra.items())}")

    def prepare(self) -> None:
        """Build the matcher and read the tables of the rules."""
        self.code("Asthma.")

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        """Yield the findings of each note."""
        return (NoteFindings(note, self.find(note.text)) for note in notes)

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the codes of the phrases in each span, followed by the results of a search."""
        for text in texts:
            found = [hit.code for hit in search(self.system, text, _MAX_SEARCH_RESULTS)]
            nearest = [code.code for code in found if code.billable]
            yield list(dict.fromkeys([*self.phrase_codes(text), *nearest]))

    def phrase_codes(self, text: str) -> list[str]:
        """Return the code of a text that is a phrase, and the code of the longest phrase in it."""
        words = phrase_words(text)  # Empty if the text has a boundary.
        whole = self.phrases.get(words) if words else None
        longest = max(self.find(text), key=lambda f: f.end - f.start, default=None)
        found = [whole, longest.code if longest else None]
        return list(dict.fromkeys(code for code in found if code))

    def find(self, text: str) -> list[Finding]:
        """Return the matches in a note, in order, with their assertions. No two matches overlap."""
        rules = AssertionRules(text, self.assertion)
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
        normalised = list(map(NORMALISED_WORDS.__getitem__, tokens))
        starts = _starts(tokens, lowered)
        boundaries = [number for number, words in enumerate(normalised) if words == _BOUNDARY_WORDS]
        matches: list[tuple[int, int, str]] = []
        begin = 0
        for boundary in [*boundaries, len(normalised)]:
            for first, last, code in self._matcher.find(normalised[begin:boundary]):
                start = starts[begin + first]
                end = starts[begin + last] + len(tokens[begin + last])
                phrase = text[start:end]
                if first < last or len(phrase) > _MAX_ABBREVIATION or phrase.isupper():
                    matches.append((start, end, code))
            begin = boundary + 1
        return sorted(matches)

    @cached_property
    def phrases(self) -> dict[str, str]:
        """Billable code of each phrase, by its normalised words. A file caches those of the system."""
        source = f"{self.system.source} lexicon {self._version}"
        path = cache_file(self.system.name, source, "lexicon.tsv")
        content = read_sealed(path, source)
        if content is None:
            with paused_garbage_collection():
                collected = collect_phrases(self.system)
            content = "\n".join(f"{words}\t{code}" for words, code in collected.items()).encode()
            # If the cache cannot be written, only the next start takes longer.
            with contextlib.suppress(OSError):
                write_sealed(path, content, source)
        # A code system whose titles contain no word has no phrases.
        lines = content.decode().split("\n") if content else []
        phrases = dict(line.split("\t") for line in lines)
        if self._extra:
            replaced = set(map(word_set, self._extra))
            phrases = {
                words: code for words, code in phrases.items() if word_set(words) not in replaced
            }
        return phrases | self._extra

    @cached_property
    def _matcher(self) -> PhraseMatcher:
        with paused_garbage_collection():
            return PhraseMatcher(self.phrases)


def _most_frequent_codes(system: CodeSystem, pairs: Iterable[SpanPair]) -> dict[str, str]:
    """Return the most frequent billable code of each phrase in pairs, by its normalised words."""
    spelt: dict[frozenset[str], str] = {}
    counts: dict[frozenset[str], Counter[str]] = {}
    for pair in pairs:
        words, code = phrase_words(pair.text), system.unspecified(system.canonical(pair.code))
        # A phrase with a boundary has no words, and a header may have no unspecified child.
        if words and code is not None:
            spelt.setdefault(word_set(words), words)
            counts.setdefault(word_set(words), Counter())[code] += 1
    return {words: counts[key].most_common(1)[0][0] for key, words in spelt.items()}


def _starts(tokens: list[str], text: str) -> list[int]:
    """Return the offset of each token. The search is exact, because no text between tokens is a word."""
    starts = []
    position = 0
    for token in tokens:
        position = text.find(token, position)
        starts.append(position)
        position += len(token)
    return starts
