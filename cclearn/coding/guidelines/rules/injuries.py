"""Injuries and poisonings: what an injury causes, and whether an overdose was intended."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import Mentions, Rule

_INJURIES = ("S2", "S1", "S3", "S4")
_CAUSE = re.compile(
    r"\b(?:trauma\w*|mv[ac]|accident|collision|crash|fall|fell|stab\w*|gun ?shot|gsw|assault\w*"
    r"|struck)\b"
)

_POISONINGS = tuple(f"T{number}" for number in range(36, 51))
_ACCIDENTAL, _INTENDED = "1", "2"
_ATTEMPT = "T14.91"
_UNSPECIFIED_DRUG = "T50.90"
_INTENT = re.compile(
    r"\b(?:suicid(?:e|al) (?:attempt|gesture|intent)|attempted suicide|intentional(?:ly)?|self[- ]harm"
    r"|in (?:a|an) (?:suicide )?attempt|deliberate(?:ly)?)\b"
)
_WITH_7TH = 8
"""Length of a code with a 7th character."""

_INTENT_AT = 6
"""Index of the character of a poisoning that names the intent."""


def _pneumothorax(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("J93.9", "J93.83"):
        sentence = mentions.rules.sentence_at(finding.start)
        is_injured = any(found.code.startswith(_INJURIES) for found in mentions.within(*sentence))
        if is_injured or _CAUSE.search(mentions.lowered, *sentence) is not None:
            mentions.recode([finding], "S27.0XXA", flag)


def _intent(mentions: Mentions, flag: str) -> None:
    found = [
        finding
        for finding in mentions.of(*_POISONINGS)
        if len(finding.code) == _WITH_7TH and finding.code[_INTENT_AT] in (_ACCIDENTAL, _INTENDED)
    ]
    match = _INTENT.search(mentions.lowered) if found else None
    if match is None or not mentions.is_present(*match.span()):
        return
    for finding in found:
        code = f"{finding.code[:_INTENT_AT]}{_INTENDED}{finding.code[_INTENT_AT + 1 :]}"
        if code != finding.code:
            mentions.recode([f for f in mentions.findings if f == finding], code, flag)
    mentions.remove(mentions.of(_ATTEMPT))


RULES: tuple[Rule, ...] = (
    Rule("I.A.12.a", "a pneumothorax after an injury is an injury", _pneumothorax),
    Rule("I.C.19.e.5.b", "an intended overdose has the code of the intent", _intent),
)
"""The rules, in the order in which they are applied."""
