"""Conditions in lists: acute ones of the history, and those after a negated item."""

from __future__ import annotations

import re

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.history import is_cancer, is_past_in_list
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.contract import Assertion

_SECTION = re.compile(r"(?:past )?medical (?:history|hx)|past (?:history|hx)|pmhx?|hx")
"""Matches headers of sections with what was before."""

_LIST = re.compile(r"(?i)\b(?:history|hx|h/o)\b")
_HISTORY = re.compile(r"(?i)history|hx|h/o|pmh")
"""Matches texts that may have such lists."""

_TITLE = re.compile(
    r"(?i)\b(?:past medical history|pmhx?) ?(?:[-–—:=]|includes?|of"
    r"|(?:is )?(?:significant|notable|positive|remarkable) for) ?\Z"
)
_MAX_CUE = 48
"""Maximum distance of the words "history of" before the first mention of their list."""

_NEXT = re.compile(
    r"(?i)(?: x ?\d| \([^()\n]{0,60}\)| (?:on|s/p|w/|with) [\w/-]+)?(?:\s|,|/|&|\band\b|\bor\b|\ban?\b)+"
)
"""Matches the text between two mentions of a list: `hypertension on lisinopril, and stroke`."""

_NOW = re.compile(
    r"(?i)\b(?:acute|current(?:ly)?|new|today|active|now|ongoing|this|on|undergoing|receiving"
    r"|metasta\w+|stage|recurren\w+|progressi\w+)\b"
)
_STAY = re.compile(
    r"(?:(?:discharge|final|admission|admitting|principal|primary|secondary|hospital) )+"
    r"(?:diagnos[ie]s|dx|problems?|course).*"
)
"""Matches headers of sections with the conditions of a stay, of which those that resolved are coded."""

_RESOLVED = re.compile(
    r"(?i)\W{0,3}(?:now |has |have |was |were )*(?:resolved|resolving|improved)\b"
)
_EXCISED = re.compile(
    r"(?i)[^.;:\n]{0,30}?(?:\bs/p\b|\bstatus post\b|,|\bwas\b|\bhad\b)?(?: [\w-]+){0,4}?"
    r" (?:\w+ectomy|resection|resected|excision|excised|mohs|removed)\b"
    r"[^.;:\n]{0,25}?(?:\b(?:19|20)\d\d\b|\byears? ago\b)"
)
"""Matches the words after a cancer that was taken out in an earlier year."""

_TREATED = re.compile(
    r"(?i)\b(?:chemo\w*|radiation|radiotherapy|immunotherapy|hospice|palliative|adt)\b"
)
_SPREAD = re.compile(r"(?i)\b(?:metasta\w+|recurrent|progressive|active)\b")
_NEAR = 20
"""Length of the text before and after a mention that may say that it is current."""

_NO = re.compile(r"(?i)(?:,| [-–]) ?no ")
_NEGATED_ITEM = re.compile(
    r"(?i)[^,;.\n]{0,40}(?:,| [-–]) ?no (?!longer)[^,;.\n]{1,40}"
    r"(?:, ?(?!no\b|never\b|den|without)[^,;.\n]{0,40})*?"
    r", ?(?:(?!no\b|not\b|never\b|or\b|nor\b|without\b|den)[\w-]+ ){0,3}"
)
"""Matches the text between a disease and another one after an item with "no"."""

_NUMBERED = re.compile(r"(?m)^[ \t]*(?:\d{1,2}[.)]|#)")
_TELLS = re.compile(
    r"(?i)\b(?:is|was|are|were|has|had|have|present\w*|complain\w*|admi\w+|diagnos\w+|found|came"
    r"|reason|developed|treated|shows?|showed|reveal\w*|consistent|concern\w*|rule)\b"
)
"""Matches words of a sentence that is not a list."""


class NoteLists:
    """Assertions of the mentions of a note, of which some depend on the list that they are in.

    "History of" applies to the words after it, and a list of past conditions contains chronic ones
    too. Conditions that do not last, such as a stroke, are past in such a list, and so is cancer. Cancer
    that was taken out in an earlier year is past anywhere (Official Guidelines, I.C.2.m).

    "No" in a list of diseases is about one of them: `CAD, no CHF, DM`. In a list of symptoms, it is
    about all that follow: `cough, no fever, chills`.

    Args:
        text: Text of the note.
        rules: Assertion rules of the note.
        system: Code system of the codes.
    """

    def __init__(self, text: str, rules: AssertionRules, system: CodeSystem) -> None:
        self._text = text
        self._rules = rules
        self._system = system
        self._names_history = _HISTORY.search(text) is not None
        self._has_negated_items = _NO.search(text) is not None
        self._end: int | None = None
        """Offset after the last mention of a list that began with "history of"."""
        self._disease: int | None = None
        """Offset after the last disease that the patient has."""

    def assertion_of(self, code: str, start: int, end: int) -> Assertion:
        """Return the assertion of a mention. The mentions must be given in their order."""
        assertion = self._rules.assertion_of(start, end)
        if self._rules.is_off:
            return assertion
        is_listed = self._names_history and self._is_listed(assertion, start, end)
        if assertion == "present" and self._is_past(code, is_listed, start, end):
            return "historical"
        if assertion == "historical" and self._is_current(code, start, end):
            return "present"
        if self._has_negated_items and self._is_disease(code):
            if assertion == "negated" and self._is_after_negated_item(start):
                return "present"
            if assertion == "present":
                self._disease = end
        return assertion

    def _is_disease(self, code: str) -> bool:
        """Return whether a code is that of a disease, and of no symptom."""
        symptoms = self._system.traits.symptoms_chapter
        return code in self._system and self._system.chapter(code) != symptoms

    def _is_after_negated_item(self, start: int) -> bool:
        """Return whether a negated item is between a disease of the same sentence and a mention."""
        if self._disease is None:
            return False
        first, _ = self._rules.sentence_at(start)
        return first <= self._disease and (
            _NEGATED_ITEM.fullmatch(self._text, self._disease, start) is not None
        )

    def _is_listed(self, assertion: Assertion, start: int, end: int) -> bool:
        """Return whether a mention begins or continues a list of the history."""
        continues = (
            self._end is not None and _NEXT.fullmatch(self._text, self._end, start) is not None
        )
        before = max(0, start - _MAX_CUE)
        begins = _TITLE.search(self._text, before, start) is not None or (
            assertion == "historical" and _LIST.search(self._text, before, start) is not None
        )
        is_listed = (begins or continues) and assertion in ("present", "historical")
        self._end = end if is_listed else None
        return is_listed

    def _is_past(self, code: str, is_listed: bool, start: int, end: int) -> bool:
        if not is_past_in_list(code, self._system):
            return False
        if is_listed or self._is_in_history(start):
            return not self._is_beside(_NOW, start, end)
        return (
            _EXCISED.match(self._text, end) is not None
            and is_cancer(code, self._system)
            and _TREATED.search(self._text, *self._rules.sentence_at(start)) is None
        )

    def _is_current(self, code: str, start: int, end: int) -> bool:
        """Return whether a condition that seems past is one of the stay, or cancer that has spread."""
        if _RESOLVED.match(self._text, end) is not None:
            return _STAY.fullmatch(self._rules.section_at(start).name) is not None
        return self._is_beside(_SPREAD, start, end) and is_cancer(code, self._system)

    def _is_beside(self, words: re.Pattern[str], start: int, end: int) -> bool:
        """Return whether some words are close to a mention, in its item of a list."""
        before = self._text[max(0, start - _NEAR) : start].rpartition(",")[2]
        after = self._text[end : end + _NEAR].partition(",")[0]
        return words.search(before + self._text[start:end] + after) is not None

    def _is_in_history(self, start: int) -> bool:
        """Return whether a mention is in a list of the section of the history."""
        if not self._names_history:
            return False
        section = self._rules.heading_at(start)
        if _SECTION.fullmatch(section.name) is None:
            return False
        line_end = self._text.find("\n", section.body)
        # A numbered assessment after `PMH: hypertension` in one line is no part of it.
        is_line = 0 <= line_end < start and bool(self._text[section.body : line_end].strip())
        if is_line and _NUMBERED.search(self._text, line_end, start) is not None:
            return False
        return _TELLS.search(self._text, *self._rules.sentence_at(start)) is None
