"""Combinations of pregnancy: its weeks, its trimesters, and conditions in it."""

from __future__ import annotations

import re

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.mentions import Mentions, Rule


def _weeks(mentions: Mentions, flag: str) -> None:
    pregnancy = mentions.of("O0", "O1", "O2", "O3", "O4", "O6", "O98", "O99", "Z34", "Z33.1")
    if not pregnancy:
        return
    found = _WEEKS.search(mentions.text)
    if found is None:
        return
    weeks = int(found["weeks"])
    if not 8 <= weeks <= 42:
        return
    mentions.add_span(*found.span(), f"Z3A.{weeks:02d}", flag)
    trimester = 1 if weeks < 14 else 2 if weeks < 28 else 3
    for code in sorted({finding.code for finding in pregnancy}):
        better = _in_trimester(code, trimester, mentions.system)
        if better is not None:
            mentions.recode(mentions.of(code), better, flag)


_WEEKS = re.compile(
    r"(?i)(?<!for )(?<!x )(?<!born at )(?<!delivered at )"
    r"\b(?P<weeks>\d{1,2})(?:\s*\+\s*\d|\s*\d/7|\.\d)?"
    r"\s*-?(?:weeks?|wks?|wga?|w(?:\d\s?d?)?)\b"
    r"(?! (?:ago|post|after|old|later|follow|course|supply|history|hx|of (?:cough|pain|fever)))"
)
"""Weeks of gestation. A duration of something else or a time in the past has other words after it."""


def _in_trimester(code: str, trimester: int, system: CodeSystem) -> str | None:
    """Return the code of the trimester beside a code of an unspecified trimester."""
    title = system.description(code)
    if "unspecified trimester" not in title:
        return None
    name = ("first", "second", "third")[trimester - 1]
    wanted = title.replace("unspecified trimester", f"{name} trimester")
    return next(
        (other for other in system.siblings(code) if system.description(other) == wanted), None
    )


RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.15.a.3, I.C.21.c.11",
        "weeks of gestation are coded beside codes of pregnancy, and decide their trimester",
        _weeks,
    ),
)
"""The rules, in the order in which they are applied."""
