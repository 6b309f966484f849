"""Rules for the assertion of mentions: present, uncertain, historical, hypothetical, negated or family.

The rules follow ConText (Harkema et al. 2009): a cue applies to the mentions after it, or before it,
up to the end of the sentence or a word that ends its scope.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import cached_property
from typing import Literal, NamedTuple

from cclearn.notes.assertion.adjacent import adjacent_assertions
from cclearn.notes.assertion.columns import column_answer
from cclearn.notes.assertion.cues import BIDIRECTIONAL, PRECEDENCE, find_cues
from cclearn.notes.contract import Assertion
from cclearn.notes.sections import Section, find_sections, find_sentences
from cclearn.notes.spans import Span
from cclearn.runtime.folding import lower_case

_FAMILY_SECTION = re.compile(r"^(?:fam(?:ily)?(?: medical)? (?:history|hx)|fhx?|family)$")
_NEAR: dict[Assertion, re.Pattern[str]] = {
    "historical": re.compile(r"[\s:]*(?:[\w'-]+\s+){0,3}"),
    "uncertain": re.compile(r"[\s:]*(?:(?!and\b)[\w'/-]+\s+){0,6}"),
}
"""The words allowed between the mention and a cue that applies only to the nearest words."""

_ALTERNATIVE = r"(?:(?!(?:and|with|of|on|is|was|has|had|will|given|but|then)\b)[\w'/-]+\s+){0,4}"
_ALTERNATIVES = re.compile(
    rf"[\s:]*(?:{_ALTERNATIVE}(?!and\b)[\w'/-]+(?:,\s+|\s+or\s+|,\s+or\s+)){{1,8}}{_ALTERNATIVE}"
)
"""Alternatives between a cue of uncertainty and a mention: `possible pneumonia, UTI, or sepsis`."""

_RULE_OUT = re.compile(r"rule[- ]?out|r/o")
_STOPS = frozenset(",;")
_WORDS_AFTER = 6
"""Maximum number of words between a mention and a cue after it."""

_MAX_DISTANCE = 2_000
"""Maximum distance of a cue in code points. It limits the time for text without sentences."""

_NON = re.compile(r"(?<!\w)non[- ]?$")
_REACHING = frozenset(("before", "list", "clause"))
"""Roles of cues that apply to mentions after them."""

_IF = re.compile(r"if\b")
_CLAUSE_END = re.compile(r"[,;]| [-–] ")
_NEXT_ITEM = 40
"""Maximum length of the text after a mention that is searched for the "or" of a list."""

_ITEM = re.compile(r"\s*(?:[-*•·–]|\d{1,2}[.)])\s")
_LEADS = re.compile(r"[:–-]\s*\Z|\A\s*\S{1,12}\s*\Z")
"""Matches a line that introduces a list: one with a colon or a dash at its end, or a single word."""

_MAX_ITEMS = 30
"""Maximum number of items of a list that share its first line."""

_MAX_LINE = 300
"""Maximum length of the text on either side of a mention in which signs and years are explained."""

_VERB = re.compile(r"\s+(?:was|were|is|are|has|had|began|appeared|developed|persisted|ensued)\b")
_STATUS_POST = re.compile(r"s/p|status[- ]post")
_AFTERWARDS = re.compile(
    r"\b(?:with|complicated by|c/b|resulting in)\b|\bw/"
    r"|\b(?:fall|fell|mv[ac]|accident|assault|trauma|injury|collision|crash)\b"
    r"|\b(?:orif|crpp|im nail\w*|open reduction|fixation|pinning)\b"
)
"""Words after "status post" before an injury or a complication, which are not past."""

_OR = re.compile(r"\b(?:or|nor)\b")
_HEAD = re.compile(r"[^.;:,\n]{0,60}\Z")
_CLOSED = re.compile(r"\s*(?:,|and\b|but\b)")


class _Cue(NamedTuple):
    """A cue in a note.

    Attributes:
        start: Offset of the first code point.
        end: Offset after the last code point.
        role: `before` or `after` for a cue that precedes or follows the mention, otherwise `ends`,
            `ends_all` or `pseudo`.
        kind: Assertion of the cue, None if the cue only ends a scope or asserts nothing.
        is_bidirectional: Whether the cue applies to mentions before and after it.
    """

    start: int
    end: int
    role: str
    kind: Assertion | None
    is_bidirectional: bool


AssertionLanguage = Literal["english", "off"]
"""Language of the rules. In notes of another language, words such as "no" would be misread."""


class AssertionRules:
    """Finds the assertions of spans of one note. The sections and sentences are found only once.

    Args:
        text: Text of the note.
        language: Language of the rules. `off` applies none, so that all mentions are present.
    """

    def __init__(self, text: str, language: AssertionLanguage = "english") -> None:
        self._text = text
        self._language = language
        self._cues_of: dict[int, list[_Cue]] = {}
        self._ignored: list[Span] = []

    @property
    def is_off(self) -> bool:
        """Whether no rules are applied."""
        return self._language == "off"

    @cached_property
    def _lower(self) -> str:
        return lower_case(self._text)

    @cached_property
    def _sentences(self) -> list[Span]:
        return find_sentences(self._text)

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _ in self._sentences]

    @cached_property
    def sections(self) -> list[Section]:
        """Sections of the note."""
        return find_sections(self._text)

    @cached_property
    def _section_starts(self) -> list[int]:
        return [section.start for section in self.sections]

    def section_at(self, offset: int) -> Section:
        """Return the section that contains an offset."""
        return self.sections[bisect_right(self._section_starts, offset) - 1]

    def heading_at(self, offset: int) -> Section:
        """Return the section that contains an offset, without headers that are items of a list.

        Of "Medical history", "Stroke" and "Diabetes" on three lines, only the first one is a heading.
        """
        return self._headings[bisect_right(self._section_starts, offset) - 1]

    @cached_property
    def _headings(self) -> list[Section]:
        """The section itself, or the one before it with a heading, for each section."""
        found: list[Section] = []
        for section in self.sections:
            is_item = bool(found) and self._is_line(section)
            found.append(found[-1] if is_item else section)
        return found

    def _is_line(self, section: Section) -> bool:
        """Return whether a section has no usual name, and no colon after it."""
        header = self._text[section.start : section.body].rstrip()
        return not section.has_known_header and not header.endswith(":")

    def ignore_cues_in(self, spans: Iterable[Span]) -> None:
        """Ignore the cues inside spans, before any assertion is read.

        The "without" of the phrase `Barrett esophagus without dysplasia` negates nothing after it.
        """
        self._ignored += spans

    def sentence_at(self, offset: int) -> Span:
        """Return the sentence that contains an offset."""
        return self._sentences[bisect_right(self._starts, offset) - 1]

    def assertion_of(self, start: int, end: int) -> Assertion:
        """Return the assertion of the span from `start` to `end`."""
        if self.is_off:
            return "present"
        number = bisect_right(self._starts, start) - 1
        cues = self._cues_in(number)
        reaching = self._cues_before(cues, start, end) | self._cues_after(cues, end)
        lead = self._lead_of(number)
        if lead is not None:
            border = self._sentences[lead][1]
            reaching |= self._cues_before(self._cues_in(lead), border, border)
        if _FAMILY_SECTION.match(self.section_at(start).name):
            reaching.add("family")
        answer = column_answer(self._lower, start)
        if answer is not None:
            reaching.add(answer)
        reaching |= adjacent_assertions(self._lower, start, end, self._line_of(start, end))
        if "present" in reaching:
            reaching -= {"negated", "historical"}
        return next((kind for kind in PRECEDENCE if kind in reaching), "present")

    def _cues_in(self, number: int) -> list[_Cue]:
        """Return the cues of a sentence."""
        cues = self._cues_of.get(number)
        if cues is None:
            cues = _find_cues(self._lower, *self._sentences[number])
            for start, end in self._ignored:
                cues = [cue for cue in cues if not start < cue.start < end]
            self._cues_of[number] = cues
        return cues

    def _lead_of(self, number: int) -> int | None:
        """Return the sentence that introduces the list of an item: `Denies:` before `- fever`."""
        lead = number
        while lead and number - lead < _MAX_ITEMS and self._is_item(lead):
            lead -= 1
        if lead == number or not _LEADS.search(self._lower[slice(*self._sentences[lead])]):
            return None
        return lead

    def _is_item(self, number: int) -> bool:
        return _ITEM.match(self._lower, *self._sentences[number]) is not None

    def _line_of(self, start: int, end: int) -> str:
        """Return the line of a mention, or the part of it near the mention."""
        first = self._lower.rfind("\n", max(0, start - _MAX_LINE), start) + 1
        last = self._lower.find("\n", end, end + _MAX_LINE)
        return self._lower[max(first, start - _MAX_LINE) : last if last >= 0 else end + _MAX_LINE]

    def _cues_before(self, cues: list[_Cue], start: int, end: int) -> set[Assertion]:
        """Return the assertions of the cues before a mention whose scope contains the mention."""
        reaching: set[Assertion] = set()
        if _NON.search(self._lower, max(0, start - 5), start):
            reaching.add("negated")
        ended = False
        for number in range(bisect_left(cues, start, key=_start_of) - 1, -1, -1):
            cue = cues[number]
            if cue.role == "ends_all" or cue.end < start - _MAX_DISTANCE:
                break
            ended = ended or cue.role == "ends"
            if cue.role not in _REACHING or cue.kind is None or cue.kind in reaching:
                continue
            if cue.is_bidirectional and self._closes(cue):
                continue
            if cue.role == "clause" and self._is_after_clause(cue.end, start, end):
                continue
            if ended and cue.kind != "family" and not self._is_condition(cue, start, end):
                continue
            near = _NEAR.get(cue.kind) if cue.role != "list" else None
            is_near = near is None or near.fullmatch(self._lower, cue.end, start) is not None
            is_list = cue.kind == "uncertain" and not is_near
            if not is_near and not (is_list and self._is_alternative(cue, start, end)):
                continue
            is_status = _STATUS_POST.match(self._lower, cue.start, cue.end) is not None
            if is_status and _AFTERWARDS.search(self._lower, cue.end, start):
                continue
            if cue.kind == "negated" and self._begins_clause(cue.end, start, end):
                continue
            reaching.add(cue.kind)
        return reaching

    def _closes(self, cue: _Cue) -> bool:
        """Return whether a cue is about what is before it: `PE ruled out, DVT confirmed`."""
        if _CLOSED.match(self._lower, cue.end) is None:
            return False
        head = _HEAD.search(self._lower, max(0, cue.start - 60), cue.start)
        words = head[0].split() if head is not None else []
        return bool(words) and words[-1] not in ("and", "or")

    def _is_alternative(self, cue: _Cue, start: int, end: int) -> bool:
        """Return whether a mention is one of several possibilities after a cue of uncertainty.

        Their last one follows "or", or the cue begins the sentence: `r/o PE, ACS`.
        """
        if _ALTERNATIVES.fullmatch(self._lower, cue.end, start) is None:
            return False
        first, last = self.sentence_at(start)
        if _OR.search(self._lower, cue.end, min(last, end + _NEXT_ITEM)) is not None:
            return True
        begins = re.search(r"\w", self._lower[first : cue.start]) is None
        return begins and _RULE_OUT.match(self._lower, cue.start, cue.end) is not None

    def _is_condition(self, cue: _Cue, start: int, end: int) -> bool:
        """Return whether a mention is in the clause of "if": `if you have fever, chills or pain`."""
        return _IF.match(self._lower, cue.start, cue.end) is not None and (
            self._lower.find(",", cue.end, start) < 0
            or _OR.search(self._lower, cue.end, end + _NEXT_ITEM) is not None
        )

    def _is_after_clause(self, cue_end: int, start: int, end: int) -> bool:
        """Return whether the clause of a negation ended before a mention.

        It did in `not on anticoagulants, osteoporosis`, but not in `not pale, febrile or tired`.
        """
        if _CLAUSE_END.search(self._lower, cue_end, start) is None:
            return False
        return _OR.search(self._lower, cue_end, end + _NEXT_ITEM) is None

    def _begins_clause(self, cue_end: int, start: int, end: int) -> bool:
        """Return whether a mention after a comma begins a clause of its own.

        It does in `Without any other illness, hypertension was found`, but not in the list
        `no fever or cough was seen`.
        """
        return (
            self._lower.find(",", cue_end, start) >= 0
            and _VERB.match(self._lower, end) is not None
            and _OR.search(self._lower, cue_end, start) is None
        )

    def _cues_after(self, cues: list[_Cue], end: int) -> set[Assertion]:
        """Return the assertions of the cues after a mention whose scope contains the mention."""
        reaching: set[Assertion] = set()
        for number in range(bisect_left(cues, end, key=_start_of), len(cues)):
            cue = cues[number]
            if cue.start > end + _MAX_DISTANCE:
                break
            between = self._lower[end : cue.start]
            if cue.role.startswith("ends") or not _STOPS.isdisjoint(between):
                break
            if len(between.split()) > _WORDS_AFTER:
                break
            if cue.kind is not None and (cue.role == "after" or cue.is_bidirectional):
                reaching.add(cue.kind)
        return reaching


def _start_of(cue: _Cue) -> int:
    return cue.start


def _find_cues(lowered: str, start: int, end: int) -> list[_Cue]:
    return [
        _Cue(
            *found,
            found.role in ("before", "list")
            and BIDIRECTIONAL.fullmatch(lowered, found.start, found.end) is not None,
        )
        for found in find_cues(lowered, start, end)
    ]
