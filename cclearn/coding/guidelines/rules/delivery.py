"""Deliveries: their outcome, conditions in childbirth, and the normal one."""

from __future__ import annotations

import re

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.mentions import CATEGORY, Mentions, Rule


def _birth(mentions: Mentions, flag: str) -> None:
    if not mentions.of("O", "Z3A") or mentions.of("Z37") or _SEVERAL.search(mentions.lowered):
        return
    match = _SINGLE_LIVE.search(mentions.lowered)
    if match is not None and (
        mentions.of("O80", "O82", "O70") or _DELIVERED.search(mentions.lowered) is not None
    ):
        mentions.add_span(*match.span(), "Z37.0", flag)


_SINGLE_LIVE = re.compile(
    r"\b(?:live|liveborn|live-born|viable|healthy|vigorous)(?: (?:term|single|newborn|baby|infant))*"
    r"(?: (?:infant|baby|newborn|boy|girl|male|female)\b)+"
)
_DELIVERED = re.compile(
    r"\b(?:deliver(?:y|ed)|n?svd|vbac|c-?section|cesarean|c/s|vacuum|forceps|induction)\b"
)
_SEVERAL = re.compile(r"\b(?:twins?|triplets?|stillb\w+|fetal (?:demise|death))\b")


def _childbirth(mentions: Mentions, flag: str) -> None:
    """Give the conditions of a pregnancy that ends in the encounter their codes in childbirth."""
    if not mentions.of("O80", "O82", "Z37"):
        return
    for code in sorted({finding.code for finding in mentions.of("O1", "O24", "O26", "O99")}):
        changed = _in_childbirth(code, mentions.system)
        if changed is not None:
            mentions.recode(mentions.of(code), changed, flag)


def _in_childbirth(code: str, system: CodeSystem) -> str | None:
    title = system.description(code)
    for pattern, replacement in _IN_CHILDBIRTH:
        wanted = pattern.sub(replacement, title)
        if wanted != title:
            for other in system.descendants(code[:CATEGORY]):
                if system.description(other) == wanted:
                    return other
    return None


_TRIMESTER = r"(?:first|second|third|unspecified) trimester"
_IN_CHILDBIRTH = (
    (re.compile(rf"complicating pregnancy, {_TRIMESTER}"), "complicating childbirth"),
    (re.compile(rf"in pregnancy, {_TRIMESTER}"), "in childbirth"),
    (re.compile(r"in pregnancy,"), "in childbirth,"),
    (re.compile(rf", {_TRIMESTER}"), ", complicating childbirth"),
    (re.compile(rf", {_TRIMESTER}"), " complicating childbirth"),
)
"""Parts of the titles of conditions in pregnancy, and of the titles of those in childbirth."""


def _complicated(mentions: Mentions, flag: str) -> None:
    if mentions.of("O1", "O2", "O3", "O4", "O6", "O7", "O99"):
        mentions.remove(mentions.of("O80"))


RULES: tuple[Rule, ...] = (
    Rule("I.C.15.b.5", "a delivery has the code of its outcome", _birth),
    Rule(
        "I.C.15.a.3",
        "a condition of a pregnancy that ends in the encounter is one of childbirth",
        _childbirth,
    ),
    Rule("I.C.15.n", "a normal delivery has no complication", _complicated),
)
"""The rules, in the order in which they are applied."""
