"""The coder without a model, which matches phrases and applies assertion rules.

It is the baseline that every model must beat.
"""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.abbreviations import NO_CODE
from cclearn.codes.clinical_terms.history import past_code
from cclearn.codes.clinical_terms.normalise import (
    BOUNDARY_WORDS,
    MARK,
    join_divided_words,
    read_words,
)
from cclearn.codes.clinical_terms.phrases import (
    IF_PAST,
    PHRASES_VERSION,
    phrase_rows,
    phrase_words,
    word_set,
)
from cclearn.codes.clinical_terms.sentence import Match
from cclearn.codes.clinical_terms.specificity import Specificity
from cclearn.codes.clinical_terms.tables import tables_sha256
from cclearn.coding.base import Coder
from cclearn.coding.findings import Finding, NoteFindings
from cclearn.coding.guidelines.combinations import combine
from cclearn.coding.lexicon.drugs import drug_findings, without_ended
from cclearn.coding.lexicon.matcher import PhraseMatcher
from cclearn.coding.lexicon.metastases import find_metastases, with_metastases
from cclearn.coding.lexicon.no_conditions import is_no_condition
from cclearn.coding.lexicon.note_lists import NoteLists
from cclearn.coding.lexicon.site_lists import with_site_lists
from cclearn.coding.lexicon.specimens import with_specimens
from cclearn.notes import Note, Origin
from cclearn.notes.assertion import AssertionLanguage, AssertionRules
from cclearn.notes.spans import Span
from cclearn.runtime.caches import cache_file, read_sealed, write_sealed
from cclearn.runtime.files import sha256_of_text
from cclearn.runtime.garbage_collection import paused_garbage_collection

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter
    from cclearn.notes import SpanPair

_MATCHER_VERSION = 1
"""Version of the tables of the matcher. Increase it to rebuild older caches."""

_MAX_SEARCH_RESULTS = 20
"""Maximum number of codes that the search returns for a span."""

_PAST_SECTION = re.compile(
    r"surgical|past (?:medical )?(?:history|hx)|\b(?:pmhx?|psh?x?)\b|problem"
)
"""Matches headers of sections that list what was before, such as operations."""

_DONE = re.compile(
    r"(?i)(?: (?:is|was|were|are))? (?:in place|in situ|placed|implanted|inserted|present|done|status)\b"
)
"""Matches the words after a procedure or device that tell that it was done or is there."""

_STATUS = re.compile(r"(?i)\bstatus\b|\bs/p\b")
"""Matches the word of a phrase that says that its procedure is past: `kidney transplant status`."""

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
        # Abbreviations are those of English notes with the phrases of ICD-10-CM.
        self._expand = system.traits.has_phrase_table and assertion != "off"
        self._extra = _most_frequent_codes(system, pairs, self._expand)
        self._version = f"{PHRASES_VERSION} {tables_sha256()}"
        self.model_sha256 = sha256_of_text(f"{self._version} {sorted(self._extra.items())}")

    def prepare(self) -> None:
        """Build the matcher and read the tables of the rules."""
        self.code("Asthma.")

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        """Yield the findings of each note."""
        return map(self._read, notes)

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the codes of the phrases in each span, followed by the results of a search."""
        for text in texts:
            hits = self.system.search(text, _MAX_SEARCH_RESULTS, billable=True)
            yield list(dict.fromkeys([*self.phrase_codes(text), *(hit.code.code for hit in hits)]))

    def phrase_codes(self, text: str) -> list[str]:
        """Return the code of a text that is a phrase, and the code of the longest phrase in it."""
        longest = max(self.find(text), key=lambda f: f.end - f.start, default=None)
        found = [self.phrase_code(text), longest.code if longest else None]
        return list(dict.fromkeys(code for code in found if code and code != NO_CODE))

    def phrase_code(self, text: str) -> str | None:
        """Return the code of a text that is a phrase, None if it is none or names no condition."""
        words = phrase_words(text, defaults=True, expand=self._expand)  # Empty with a boundary.
        code = self.phrases.get(words, NO_CODE) if words else NO_CODE
        return None if code == NO_CODE else code.removeprefix(IF_PAST)

    def find(self, text: str) -> list[Finding]:
        """Return the matches in a note, in order, with their assertions.

        No two matches overlap, except that a match may contain one whose code the classification asks
        for beside its own: "anemia in chronic kidney disease" contains the kidney disease.
        """
        return self._find(text, AssertionRules(text, self.assertion))

    def _find(self, text: str, rules: AssertionRules) -> list[Finding]:
        lists = NoteLists(text, rules, self.system)
        metastases = list(find_metastases(text)) if self.system.traits.has_phrase_table else []
        matches = self._matches(text, [found.site for found in metastases])
        if self.system.traits.has_phrase_table:
            matches = with_metastases(text, matches, metastases)
            matches = with_site_lists(text, matches, self._matches)
            matches = with_specimens(text, matches, self._matches)
        rules.ignore_cues_in(
            (start, end) for start, end, _ in matches if " without " in text[start:end]
        )
        findings = []
        for start, end, code in matches:
            section = rules.section_at(start)
            # The heading "History of present illness" is not evidence of an illness.
            is_heading = end <= section.body and section.has_known_header
            if is_heading or is_no_condition(text, start, end, code, rules):
                continue
            assertion = lists.assertion_of(code.removeprefix(IF_PAST), start, end)
            if code.startswith(IF_PAST):
                is_done = assertion == "historical" or (
                    assertion == "present"
                    and (
                        _PAST_SECTION.search(section.name)
                        or _DONE.match(text, end)
                        or _STATUS.search(text, start, end)
                    )
                )
                coded = code.removeprefix(IF_PAST) if is_done else None
            else:
                coded = past_code(code, self.system) if assertion == "historical" else code
            if coded is not None:
                findings.append(Finding(coded, start, end, assertion=assertion))
        return findings

    def _read(self, note: Note) -> NoteFindings:
        rules = AssertionRules(note.text, self.assertion)
        findings = combine(note.text, self._find(note.text, rules), rules, self.system)
        if self.system.traits.has_phrase_table:
            findings = list(without_ended(note.text, findings))
            findings += drug_findings(note.text, findings, rules, self.system)
        return NoteFindings(note, findings)

    def _matches(self, text: str, ignored: Sequence[Span] = ()) -> list[tuple[int, int, str]]:
        """Return the offsets and the code of each phrase, in order.

        Args:
            text: Text of a note.
            ignored: Spans whose words are in no phrase.
        """
        words, starts, ends, abbreviations, items = read = read_words(text, expand=self._expand)
        if "-\n" in text:
            join_divided_words(text, read, self._vocabulary)
        for first, last in ignored:
            for number in range(bisect_left(starts, first), bisect_left(starts, last)):
                words[number] = ()
        boundaries = [number for number, found in enumerate(words) if found is BOUNDARY_WORDS]
        ordered = sorted(items)
        matches: list[tuple[int, int, str]] = []
        begin = 0
        for boundary in [*boundaries, len(words)]:
            segment = words[begin:boundary]
            among = ordered[bisect_left(ordered, begin) : bisect_left(ordered, boundary)]
            started = {number - begin for number in among}
            found, nested = self._matcher.find(segment, started)
            if found and self._specificity is not None:
                found += _beside(nested, segment, self._specificity)
                found = self._specificity.specify(found, segment, started)
            for first, last, code in found:
                start, end = starts[begin + first], ends[begin + last]
                phrase = text[start:end]
                is_word = first == last and begin + first not in abbreviations
                if code != NO_CODE and not (
                    is_word and len(phrase) <= _MAX_ABBREVIATION and not phrase.isupper()
                ):
                    matches.append((start, end, code))
            begin = boundary + 1
        return sorted(matches)

    @cached_property
    def phrases(self) -> dict[str, str]:
        """Billable code of each phrase, by its normalised words."""
        phrases = {words: code for words, code, _ in phrase_rows(self.system)}
        if self._extra:
            replaced = set(map(word_set, self._extra))
            phrases = {
                words: code for words, code in phrases.items() if word_set(words) not in replaced
            }
        return phrases | self._extra

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return frozenset(word for phrase in self.phrases for word in phrase.split(" "))

    @cached_property
    def _specificity(self) -> Specificity | None:
        return Specificity(self.system) if self.system.traits.has_phrase_table else None

    @cached_property
    def _matcher(self) -> PhraseMatcher:
        with paused_garbage_collection():
            if self._extra:
                return PhraseMatcher(self.phrases)
            source = f"{self.system.source} matcher {_MATCHER_VERSION} {self._version}"
            path = cache_file(self.system.name, source, "matcher.json")
            content = read_sealed(path, source)
            if content is not None:
                return PhraseMatcher.from_json(content)
            matcher = PhraseMatcher(self.phrases)
            # If the cache cannot be written, only the next start takes longer.
            with contextlib.suppress(OSError):
                write_sealed(path, matcher.to_json(), source)
            return matcher


def _beside(
    nested: Sequence[tuple[Match, Match]],
    words: Sequence[tuple[str, ...]],
    specificity: Specificity,
) -> list[Match]:
    """Return the phrases within other phrases whose codes the classification asks for beside theirs.

    They name a condition of their own, and are not the first words of a name, as "alcoholic" is in
    "alcoholic cirrhosis".

    Args:
        nested: Pairs of a phrase and a phrase within it.
        words: Normalised words of each token.
        specificity: What knows the notes of the classification.
    """
    found: list[Match] = []
    taken: set[int] = set()
    for outer, inner in nested:
        numbers = range(inner.first, inner.last + 1)
        is_whole = inner.last == outer.last or words[inner.last + 1] in ((), (MARK,))
        if (
            is_whole
            and taken.isdisjoint(numbers)
            and not inner.code.startswith(outer.code.partition(".")[0])
            and specificity.is_beside(outer.code, inner.code)
        ):
            taken.update(numbers)
            found.append(inner)
    return found


def _most_frequent_codes(
    system: CodeSystem, pairs: Iterable[SpanPair], expand: bool
) -> dict[str, str]:
    """Return the most frequent billable code of each phrase in pairs, by its normalised words."""
    spelt: dict[frozenset[str], str] = {}
    counts: dict[frozenset[str], Counter[str]] = {}
    for pair in pairs:
        words = phrase_words(pair.text, defaults=True, expand=expand)
        code = system.unspecified(system.canonical(pair.code))
        # A phrase with a boundary has no words, and a header may have no unspecified child.
        if words and code is not None:
            spelt.setdefault(word_set(words), words)
            counts.setdefault(word_set(words), Counter())[code] += 1
    return {words: counts[key].most_common(1)[0][0] for key, words in spelt.items()}
