"""Codes whose titles name the sex of the patient, or how long the patient was unconscious."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule
from cclearn.notes.patient import read_patient

_MAN = re.compile(r"\A\W*(?:\d+[- ]?(?:year|yr|y/?o)\w*[- ]?(?:old)? )?(?:man|gentleman|male)\b")
"""A note that begins with the sex of its patient."""

_UNCONSCIOUS = re.compile(
    r"(?:\bloc|loss of consciousness|lost consciousness|unconscious|unresponsive)\b"
    r"[^.;,\n\d]{0,20}(?P<number>\d+) ?(?P<unit>sec|min|hour|hr)"
)
_MINUTES = {"sec": 1 / 60, "min": 1, "hour": 60, "hr": 60}
_DURATIONS = ((30, "1"), (59, "2"), (359, "3"), (1440, "4"))
"""Longest durations in minutes, and the 6th characters of their codes."""


def _male_breast(mentions: Mentions, flag: str) -> None:
    for code in sorted({finding.code for finding in mentions.of("C50")}):
        # The 5th character of C50 is 1 for women and 2 for men.
        if len(code) == _BREAST and code[5] == "1" and _is_male(mentions):
            mentions.recode(mentions.of(code), f"{code[:5]}2{code[6:]}", flag)


_BREAST = 7
"""Length of the code of a cancer of the breast."""


def _is_male(mentions: Mentions) -> bool:
    sex = read_patient(mentions.text).sex
    return sex.value == "male" if sex else _MAN.match(mentions.lowered) is not None


def _unconscious(mentions: Mentions, flag: str) -> None:
    injuries = [found for found in mentions.of("S06") if found.code[5:7] in ("X9", "XA")]
    match = _UNCONSCIOUS.search(mentions.lowered) if injuries else None
    if match is None:
        return
    minutes = int(match["number"]) * _MINUTES[match["unit"]]
    character = next((digit for longest, digit in _DURATIONS if minutes <= longest), None)
    if character is not None and mentions.is_present(*match.span()):
        mentions.remove(found for found in mentions.within(*match.span()) if found.code == "R55")
        for code in sorted({found.code for found in injuries}):
            mentions.recode(mentions.of(code), f"{code[:6]}{character}{code[7:]}", flag)


def _stent(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("Z95.5")[:MOST]:
        if "coronar" in mentions.said_by(finding) or "cardiac" in mentions.said_by(finding):
            continue
        if not mentions.of("I2") and _HEART.search(mentions.lowered) is None:
            mentions.remove([finding])


_HEART = re.compile(
    r"\b(?:coronar\w+|cad|pci|cardi\w+|heart|des|bms|lad|rca|lcx|angio\w+|stemi|nstemi|cath\w*|chest|mi)\b"
)
"""Words of a note about the heart."""


RULES: tuple[Rule, ...] = (
    Rule("I.B.14", "a stent is one of the heart only in a note about the heart", _stent),
    Rule("I.B.2", "cancer of the breast of a man has the code of men", _male_breast),
    Rule("I.B.2", "a loss of consciousness has the code of its duration", _unconscious),
)
"""The rules, in the order in which they are applied."""
