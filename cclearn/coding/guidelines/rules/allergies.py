"""Allergies to drugs, foods, insects and other substances, which are a status of the patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice

from cclearn.codes.clinical_terms.tables import ALLERGIES, read_table
from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule
from cclearn.coding.guidelines.names import Named, Names

_LIST = re.compile(
    r"allergi(?:c (?:also )?to|es? to|es? include|es?(?: list)?[ \t]*:|es?[ \t]*(?:\r\n?|\n))"
    r"(?P<substances>(?:[^.;:\n]|\n(?!\s*\n|[a-z /&-]+:))*)"
)
"""An allergy with the substances after it: on the line, or in a list below it."""

_AFTER_SUBSTANCES = re.compile(r"allerg(?:y|ies|ic)\b(?! to\b)")
"""The word after its substances: `penicillin and sulfa allergies`."""

_MAX_SUBSTANCES = 50
"""Maximum length of the text before that word in which its substances are, in code points."""

_REACTION = re.compile(r"\s*(?:\([^()\n]*\)|(?::|-+>?|–|→|causes?) *[^,;.\n]*)")
"""A reaction after its substance: `penicillin (rash)`. It is no condition of today."""

_JOINS = re.compile(r"[\s,/-]*(?:and|or)?[\s-]*")
_TOLERATED = re.compile(r"\b(?:tolerat\w+|except|not)\b[^,;.]*\Z")


def _allergies(mentions: Mentions, flag: str) -> None:
    if "allerg" not in mentions.lowered:
        return
    for start, end, code in islice(_substances(mentions.lowered), MOST):
        # "History of penicillin allergy" is an allergy too.
        if mentions.is_of_patient(start, end):
            mentions.add_span(start, end, mentions.billable(code), flag)
            reaction = _REACTION.match(mentions.lowered, end)
            if reaction is not None:
                mentions.remove(mentions.within(*reaction.span()))


def _substances(lowered: str) -> Iterator[Named]:
    """Yield each substance that a note calls an allergy."""
    for match in _LIST.finditer(lowered):
        for name in _names().find(lowered, *match.span("substances")):
            first = max(match.start("substances"), name.start - _MAX_SUBSTANCES)
            if _TOLERATED.search(lowered, first, name.start) is None:
                yield name
    for match in _AFTER_SUBSTANCES.finditer(lowered):
        border = match.start()
        # From the last substance backwards, as long as nothing but "and" or a comma is between.
        before = _names().find(lowered, max(0, border - _MAX_SUBSTANCES), border)
        for name in reversed(list(before)):
            if _JOINS.fullmatch(lowered, name.end, border) is None:
                break
            border = name.start
            yield name


@cache
def _names() -> Names:
    return Names(read_table(ALLERGIES))


RULES: tuple[Rule, ...] = (
    Rule("I.C.21.c.3", "an allergy to a substance that the note names is a status", _allergies),
)
"""The rules, in the order in which they are applied."""
