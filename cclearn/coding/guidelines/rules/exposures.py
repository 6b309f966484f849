"""Contact with a communicable disease of a patient who does not have it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from cclearn.codes.clinical_terms.tables import EXPOSURES, read_rows
from cclearn.coding.guidelines.mentions import Mentions, Rule
from cclearn.coding.guidelines.names import Named, Names

_CONTACT = re.compile(
    r"(?P<contact>expos(?:ed|ure) to|contact (?:with|of)\b)(?P<disease>[^.;\n]{0,60})"
)
_KIND = re.compile(r"(?:close|sick|household) \Z")
"""Words of "close contact", which also names the other person."""

_MAX_KIND = 12
"""Length of the text before "contact" in which they are, in code points."""

_EXPOSED = re.compile(r"expos(?:ed|ure)\b(?! to)")
"""The word after the disease: `TB exposure`, or of a person: `sister has strep; exposed`."""

_MAX_BEFORE = 60
"""Maximum length of the text before that word in which the disease is, in code points."""

_PERSON = re.compile(
    r"\b(?:mother|father|mom|dad|parent|sister|brother|sibling|son|daughter|child|kid|baby|cousin|aunt"
    r"|uncle|wife|husband|spouse|partner|boyfriend|girlfriend|friend|roommate|coworker|co-worker"
    r"|colleague|classmate|neighbou?r|contact)s?\b"
)
_NOT_OF_THE_PATIENT = ("negated", "ruled_out", "hypothetical")


def _exposures(mentions: Mentions, flag: str) -> None:
    for start, end in mentions.sentences_with(("exposed", "exposure", "contact ")):
        for name in _diseases(mentions, start, end):
            # A disease that the patient was exposed to is no finding of the patient.
            inside = mentions.within(name.start, name.end)
            elsewhere = [f for f in mentions.of(*_stems()[name.code]) if f not in inside]
            if not elsewhere and any(f.code.startswith("Z20") for f in inside):
                continue
            mentions.remove(inside)
            if not elsewhere:
                mentions.add_span(name.start, name.end, mentions.billable(name.code), flag)


def _diseases(mentions: Mentions, first: int, last: int) -> Iterator[Named]:
    """Yield the diseases that a sentence says the patient had contact with."""
    lowered = mentions.lowered
    for match in _CONTACT.finditer(lowered, first, last):
        kind = _KIND.search(lowered, max(first, match.start() - _MAX_KIND), match.start())
        start = kind.start() if kind else match.start()
        if mentions.is_present(start, match.end("contact")):
            for name in _names().find(lowered, *match.span("disease")):
                if mentions.rules.assertion_of(name.start, name.end) not in _NOT_OF_THE_PATIENT:
                    yield name
    for match in _EXPOSED.finditer(lowered, first, last):
        end = match.start()
        # The semicolon of "sister has strep; exposed" ends a sentence.
        start = max(0, end - _MAX_BEFORE, lowered.rfind(".", 0, end), lowered.rfind("\n", 0, end))
        for name in _names().find(lowered, start, end):
            adjoins = not lowered[name.end : end].strip()
            is_of_somebody = adjoins or _PERSON.search(lowered, start, name.start)
            if is_of_somebody and mentions.is_present(*match.span()):
                yield name


@cache
def _names() -> Names:
    return Names((code, names) for code, _, names in read_rows(EXPOSURES, 3))


@cache
def _stems() -> dict[str, tuple[str, ...]]:
    return {code: tuple(stems.split(" ")) for code, stems, _ in read_rows(EXPOSURES, 3)}


RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.21.c.1",
        "contact with a communicable disease is coded of a patient who does not have it",
        _exposures,
    ),
)
"""The rules, in the order in which they are applied."""
