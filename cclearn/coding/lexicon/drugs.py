"""Codes of long-term drug therapy, from the drugs that a note mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.tables import DRUGS, read_rows
from cclearn.coding.findings import Finding
from cclearn.notes.assertion import AssertionRules
from cclearn.runtime.folding import lower_case

SECTION = "I.C.21.c.3"
SAYS = "a drug for a documented condition is long-term therapy"
FLAG = f"combination: {SAYS} (Section {SECTION})"

_LONG_TERM = re.compile(r"\b(?:long[- ]term|chronic(?:ally)?|lifelong|indefinite(?:ly)?)\b")
_NOT_TAKEN = re.compile(
    r"\b(?:stop(?:ped)?|held|hold|holding|discontinu\w+|d/c|off|avoid|allerg\w+|intoleran\w+|refus\w+"
    r"|declin\w+|consider|would|bolus|drip|gtt|infusion|sliding|iv|overdose|prn|as needed"
    r"|tried|previously|past|used to|occasional(?:ly)?"
    r"|once(?! (?:a |per |every )?(?:daily|day|night|week|month|morning|evening)))\b"
)
_STOPPED = re.compile(
    r"\b(?:no longer|not|never|stop(?:ped)?|held|discontinu\w+|d/c|off|refus\w+|declin\w+|consider\w*"
    r"|would|previously|used to|in the past)\b"
)
_NEAR = 25
"""Number of code points on either side of a phrase in which the note says that a therapy has ended."""

_THERAPY = "Z79"
"""Category of long-term drug therapy."""

_WORD = re.compile(r"[a-z]+")
_SENTENCE = 60
"""Number of code points on either side of a drug in which the note says whether it is taken."""


def drug_findings(
    text: str, findings: Iterable[Finding], rules: AssertionRules, system: CodeSystem
) -> Iterator[Finding]:
    """Yield a finding for each class of drugs that counts as long-term therapy, at its first mention.

    A drug counts if the note has a condition that it is for, or calls the therapy long-term, and does
    not say that the drug is stopped or given once.

    Args:
        text: Text of the note.
        findings: Findings that give codes.
        rules: Assertion rules of the note.
        system: Code system of the codes.
    """
    codes = {finding.code for finding in findings}
    lowered = lower_case(text)
    words = frozenset(_WORD.findall(lowered))
    is_long_term = _LONG_TERM.search(lowered) is not None
    for drugs in _classes():
        if words.isdisjoint(drugs.first_words):
            continue
        is_for_condition = any(code.startswith(drugs.conditions) for code in codes)
        if (is_for_condition or is_long_term) and system.is_billable(drugs.code):
            for match in drugs.names.finditer(lowered):
                start, end = match.span()
                if lowered[start - 1 : start].isalnum():
                    continue
                if (
                    (is_for_condition or _LONG_TERM.search(_line(lowered, start, end)))
                    and is_taken(lowered, start, end)
                    and rules.assertion_of(start, end) == "present"
                ):
                    yield Finding(drugs.code, start, end, rule=FLAG)
                    break


def without_ended(text: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings without therapies that the note says have ended or never began.

    Args:
        text: Text of the note.
        findings: Findings of the note.
    """
    lowered = lower_case(text)
    for finding in findings:
        near = _line(lowered, finding.start, finding.end, _NEAR)
        if not finding.code.startswith(_THERAPY) or _STOPPED.search(near) is None:
            yield finding


def is_taken(lowered: str, start: int, end: int) -> bool:
    """Return whether no word near a drug says that it is stopped, refused, given once or an allergy.

    Args:
        lowered: Text of a note in lower case.
        start: Offset of the drug.
        end: Offset after the drug.
    """
    return _NOT_TAKEN.search(_line(lowered, start, end)) is None


def _line(text: str, start: int, end: int, reach: int = _SENTENCE) -> str:
    first = max(text.rfind("\n", 0, start) + 1, start - reach)
    last = text.find("\n", end)
    return text[first : min(last if last >= 0 else len(text), end + reach)]


class _Class(NamedTuple):
    """A class of drugs: its code, the stems of its conditions, and its names."""

    code: str
    conditions: tuple[str, ...]
    first_words: frozenset[str]
    names: re.Pattern[str]


@cache
def _classes() -> tuple[_Class, ...]:
    return tuple(
        _Class(
            code,
            tuple(stems.split(" ")),
            frozenset(name.split(" ")[0] for name in names.split("; ")),
            # The search is fast because the pattern begins with letters and with nothing else.
            re.compile(rf"(?<!lupus )(?:{'|'.join(map(re.escape, names.split('; ')))})\b"),
        )
        for code, stems, names in read_rows(DRUGS, 3)
    )
