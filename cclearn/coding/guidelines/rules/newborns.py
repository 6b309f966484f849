"""Records of newborns, which have no codes of the mother, and visits of children."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import Mentions, Rule

_NEWBORN = re.compile(
    r"(?:newborn|neonate|baby (?:boy|girl)|liveborn"
    r"|(?:late )?(?:pre)?term (?:male|female|infant|baby|boy|girl)"
    r"|\d{1,2}[- ]?(?:day|hour)s?[- ]old|dol \d|day of life)\b"
)
_FIRST_WORDS = 60
"""Length of the beginning of a note that says whose record it is, in code points."""

_MOTHERS = re.compile(r"\bg\d ?p\d|\b(?:gravida|delivered (?:a|of)|postpartum|labor)\b")
_BORN = re.compile(
    r"\b(?:born|delivered)\b[^.;\n]{0,40}\b(?:(?P<cesarean>c-?section|cesarean|c/s)"
    r"|n?svd|vaginal(?:ly)?|vaginal delivery)\b"
)
_FIRST_DAYS = re.compile(r"\b(?:today|newborn|nursery|birth weight|bw|apgars?|dol [01])\b")
_OF_MOTHERS = ("O", "Z3A", "Z37")
_PERINATAL = (("R17", "P59.9"), ("E16.2", "P70.4"), ("R63.3", "P92.9"), ("R09.02", "P84"))
"""Stems of conditions, and their codes in a newborn (Official Guidelines, I.C.16.a.1)."""


def _newborn(mentions: Mentions, flag: str) -> None:
    beginning = mentions.lowered[:_FIRST_WORDS]
    if _NEWBORN.search(beginning) is None or _MOTHERS.search(beginning) is not None:
        return
    mentions.remove(mentions.of(*_OF_MOTHERS))
    for stem, code in _PERINATAL:
        mentions.recode(mentions.of(stem), code, flag)
    born = _BORN.search(mentions.lowered)
    if born is not None and not mentions.of("Z38") and _FIRST_DAYS.search(mentions.lowered):
        mentions.add_span(*born.span(), "Z38.01" if born["cesarean"] else "Z38.00", flag)


def _well_child(mentions: Mentions, flag: str) -> None:
    visits = mentions.of("Z00.129", "Z00.11")
    if not visits:
        return
    age = _AGE.search(mentions.lowered)
    if age is not None:
        days = int(age["number"]) * (7 if age["unit"] == "week" else 1)
        if days <= _NEONATAL:
            mentions.recode(visits, "Z00.110" if days < _FIRST_WEEK else "Z00.111", flag)
            return
    if mentions.of(*_ACUTE) or "abnormal findings" in mentions.lowered.replace("no abnormal", ""):
        mentions.recode(mentions.of("Z00.129"), "Z00.121", flag)


_AGE = re.compile(r"\b(?P<number>\d{1,2})[- ]?(?P<unit>day|week)s?[- ]old\b")
_FIRST_WEEK, _NEONATAL = 8, 28
"""Ages in days from which a visit is one of the second to fourth week, and up to which it is."""

_ACUTE = ("B0", "B3", "H10", "H65", "H66", "J0", "J1", "J20", "J21", "L01", "L03", "L22", "R01.1")
"""Stems of conditions that a visit of a child finds, which are not those of a chronic disease."""


RULES: tuple[Rule, ...] = (
    Rule("I.C.15.a.1, I.C.16.a", "the record of a newborn has codes of the newborn", _newborn),
    Rule("I.C.21.c.13", "a visit of a child has the code of its age and findings", _well_child),
)
"""The rules, in the order in which they are applied."""
