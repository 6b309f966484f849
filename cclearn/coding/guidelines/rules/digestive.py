"""Combinations of digestive diseases: bleeding lesions, and varices of cirrhosis."""

from __future__ import annotations

import re

from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.mentions import CATEGORY, MOST, Mentions, Rule

_BLEEDING, _VOMITED = ("K92.1", "K92.2"), "K92.0"
_RECTAL = "K62.5"

_UPPER = (
    "I85.0",
    "I85.1",
    "K20.8",
    "K20.9",
    "K22.1",
    "K25",
    "K26",
    "K27",
    "K28",
    "K29",
    "K31.81",
    "K22.6",
)
"""Stems of the lesions from which vomited blood comes."""

_LOWER = ("K55.20", "K57")
_INFLAMMATION = ("K50", "K51")
_ULCERS = ("K25", "K26", "K27", "K28")
_OF_ULCERS = {"3": "0", "7": "4", "9": "4"}
"""Last characters of ulcers without bleeding, and with it."""

_OF_DIVERTICULA = {"0": "1", "2": "3"}
_DIVERTICULA = "K57"
_OF_INFLAMMATION = {"0": "11"}
_CIRRHOSIS = ("K70.3", "K71.7", "K74")


def _bleeding(mentions: Mentions, flag: str) -> None:
    blood = mentions.of(*_BLEEDING, _VOMITED, _RECTAL)[:MOST]
    if not blood:
        return
    codes = {finding.code for finding in blood}
    stems: tuple[str, ...] = ()
    if codes.intersection((*_BLEEDING, _VOMITED)):
        stems += _UPPER
    if codes.intersection(_BLEEDING):
        stems += _LOWER
    if codes.intersection((*_BLEEDING, _RECTAL)):
        stems += _INFLAMMATION
    lesions = [
        lesion
        for lesion in mentions.of(*stems)[:MOST]
        if any(_distance(lesion, one) <= _NEAR for one in blood)
        and not _DRY.match(mentions.lowered, lesion.end)
        and not _PAST.search(mentions.rules.section_at(lesion.start).name)
    ]
    # With several lesions, the note has to say which of them bleeds.
    if len({lesion.code[:CATEGORY] for lesion in lesions}) != 1:
        return
    for code in sorted({lesion.code for lesion in lesions}):
        bleeding = _with_bleeding(code)
        if not mentions.system.is_billable(bleeding):
            return
        mentions.recode(mentions.of(code), bleeding, flag)
    mentions.recode(blood, bleeding, flag)


_NEAR = 150
"""Maximum number of code points between bleeding and a lesion that are related."""

_PAST = re.compile(r"history|hx|\bpmh")
"""Matches headers of sections whose lesions need not bleed now."""

_DRY = re.compile(
    r"[^.;\n]{0,30}\b(?:without|no|non-?)\b[^.;\n]{0,30}\b(?:bleed\w*|hemorrhage|stigmata)\b"
)
"""Matches the words after a lesion that say that it does not bleed."""


def _distance(one: Finding, other: Finding) -> int:
    return max(one.start - other.end, other.start - one.end)


def _with_bleeding(code: str) -> str:
    """Return the code of a lesion with bleeding: the code itself if it says so."""
    stem, last = code[:-1], code[-1]
    if code.startswith(_INFLAMMATION):
        return f"{stem}{_OF_INFLAMMATION.get(last, last)}"
    if code.startswith(_ULCERS):
        return f"{stem}{_OF_ULCERS.get(last, last)}"
    if code.startswith(_DIVERTICULA):
        return f"{stem}{_OF_DIVERTICULA.get(last, last)}"
    if code == "K31.819":
        return "K31.811"
    return f"{stem}1" if last == "0" else code


def _gallbladder(mentions: Mentions, flag: str) -> None:
    stones = mentions.of("K80.20")
    for inflammation, code in _INFLAMED if stones else ():
        found = mentions.of(inflammation)
        if found:
            mentions.recode([*found, *mentions.of("K80.20")], code, flag)


_INFLAMED = (("K81.2", "K80.12"), ("K81.0", "K80.00"), ("K81.1", "K80.10"))
"""Inflammations of the gallbladder, and their codes with stones."""


def _gallstones(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("K85.9")[:MOST]:
        if _OF_STONES.match(mentions.lowered, finding.end) is not None:
            mentions.recode([finding], f"K85.1{finding.code[5:]}", flag)


_OF_STONES = re.compile(
    r",? (?:likely )?(?:due|secondary) to (?:\w+ )?"
    r"(?:gall ?stones?|choledocholithiasis|cholelithiasis|stones?)\b"
)


def _fatty_liver(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("K74.6")[:MOST]:
        match = _NASH.search(mentions.lowered, max(0, finding.start - 30), finding.end + 30)
        if match is not None and mentions.is_present(*match.span()):
            mentions.add_span(*match.span(), "K75.81", flag)


_NASH = re.compile(r"\b(?:nash|mash|nonalcoholic steatohepatitis)\b")


def _varices(mentions: Mentions, flag: str) -> None:
    if mentions.of(*_CIRRHOSIS):
        mentions.recode_each(mentions.of("I85.0"), lambda code: f"I85.1{code[-1]}", flag)


RULES: tuple[Rule, ...] = (
    Rule("I.A.15", "cholecystitis and gallstones have one code", _gallbladder),
    Rule("I.A.17", "pancreatitis that gallstones cause is biliary", _gallstones),
    Rule("I.A.13", "cirrhosis of steatohepatitis has the code of its cause", _fatty_liver),
    Rule(
        "I.A.15",
        "bleeding and the only lesion that the classification links to it are related",
        _bleeding,
    ),
    Rule("I.A.13", "esophageal varices beside cirrhosis are secondary", _varices),
)
"""The rules, in the order in which they are applied."""
