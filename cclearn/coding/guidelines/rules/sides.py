"""Both sides of a condition for which the classification has no code of both."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache, lru_cache

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.mentions import WITH_7TH, Mentions, Rule

_WORDS = ("both", "bilateral", "b/l")
"""One of them is in every note with both sides, and a search for a string is fast."""

_BILATERAL = re.compile(r"\b(?:bilateral|b/l)\b")
_PART = re.compile(r"\bunspecified (?P<part>[a-z]+)\b(?!.*\bunspecified\b)")
"""The part of the body in a title, the side of which is unspecified."""

_AROUND = 30
"""Length of the text on either side of a condition in which "both" is before the part of the body."""

_BEFORE = 12
"""Length of the text before a condition in which "bilateral" is about it."""

_PLURALS = {"foot": "feet"}


def _both_sides(mentions: Mentions, flag: str) -> None:
    if any(words in mentions.lowered for words in _WORDS):
        # A past procedure leaves a status on both sides, too.
        mentions.findings = [
            f for found in mentions.findings for f in _divided(mentions, found, flag)
        ]
        mentions.others = [f for found in mentions.others for f in _divided(mentions, found, flag)]


def _divided(mentions: Mentions, finding: Finding, flag: str) -> list[Finding]:
    """Return a finding for each side if the note says that a finding is of both sides."""
    code = finding.code
    title = mentions.system.description(code) if code in mentions.system else ""
    part = _part(title)
    if part is None or not _is_of_both(mentions.lowered, finding, part["part"]):
        return [finding]
    sides = _codes_of_sides(code, title, part, mentions.system)
    return [replace(finding, code=side, rule=flag) for side in sides] if sides else [finding]


@lru_cache(maxsize=1 << 12)
def _part(title: str) -> re.Match[str] | None:
    return _PART.search(title)


def _is_of_both(lowered: str, finding: Finding, part: str) -> bool:
    first, last = max(0, finding.start - _AROUND), finding.end + _AROUND
    return _both(part).search(lowered, first, last) is not None or (
        _BILATERAL.search(lowered, max(0, finding.start - _BEFORE), finding.end) is not None
    )


@cache
def _both(part: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:both|bilateral|b/l)\s+(?:{part}|{_PLURALS.get(part, part)})")


def _codes_of_sides(
    code: str, title: str, part: re.Match[str], system: CodeSystem
) -> tuple[str, str] | None:
    """Return the codes of the right and of the left side, if there are both and none of both."""
    named = {system.description(other): other for other in _beside(code, system)}
    before, after = title[: part.start()], title[part.start("part") :]
    right, left, both = (
        named.get(f"{before}{side} {after}") for side in ("right", "left", "bilateral")
    )
    return (right, left) if right and left and not both else None


def _beside(code: str, system: CodeSystem) -> list[str]:
    """Return the codes that differ from a code in its side: its siblings, or theirs of one visit."""
    if len(code) < WITH_7TH:
        return list(system.siblings(code))
    stem, visit = code[:5], code[-1]
    return [c for c in system.descendants(code[:3]) if c.startswith(stem) and c[-1] == visit]


RULES: tuple[Rule, ...] = (
    Rule("I.B.13", "both sides have a code each if there is no code of both", _both_sides),
)
"""The rules, in the order in which they are applied."""
