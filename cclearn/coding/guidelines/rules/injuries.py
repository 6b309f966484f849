"""Injuries and poisonings: what an injury causes, and whether an overdose was intended."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import MOST, WITH_7TH, Mentions, Rule

_INJURIES = ("S2", "S1", "S3", "S4")
_CAUSE = re.compile(
    r"\b(?:trauma\w*|mv[ac]|accident|collision|crash|fall|fell|stab\w*|gun ?shot|gsw|assault\w*"
    r"|struck)\b"
)

_POISONINGS = tuple(f"T{number}" for number in range(36, 51))
_ACCIDENTAL, _INTENDED = "1", "2"
_ATTEMPT = "T14.91"
_INTENT = re.compile(
    r"\b(?:suicid(?:e|al) (?:attempt|gesture|intent)|attempted suicide|intentional(?:ly)?|self[- ]harm"
    r"|in (?:a|an) (?:suicide )?attempt|deliberate(?:ly)?)\b"
)

_INTENT_AT = 6
"""Index of the character of a poisoning that names the intent."""


def _internal(mentions: Mentions, flag: str) -> None:
    for stems, code in _OF_INJURIES:
        for finding in mentions.of(*stems)[:MOST]:
            sentence = mentions.rules.sentence_at(finding.start)
            found = mentions.within(*sentence)
            is_injured = any(one.code.startswith(_INJURIES) for one in found)
            if is_injured or _CAUSE.search(mentions.lowered, *sentence) is not None:
                mentions.recode([finding], code, flag)


_OF_INJURIES = (
    (("J93.9",), "S27.0XXA"),
    (("J94.2",), "S27.1XXA"),
    (("I62.00", "I62.01"), "S06.5XAA"),
)
"""Stems of conditions that an injury may cause, and their codes if it does."""


def _ribs(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("S22.3")[:MOST]:
        near = mentions.lowered[finding.start : finding.end + _AROUND]
        if _SEVERAL_RIBS.search(near) is not None:
            mentions.recode([finding], f"S22.4{finding.code[5:]}", flag)


_AROUND = 20
"""Length of the text after a fracture in which the numbers of the ribs are, in code points."""

_SEVERAL_RIBS = re.compile(r"\bribs\b|\brib (?:fractures|fxs?)\b|\d+(?:th)? ?(?:-|–|,|to|and) ?\d")


def _burns(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("T20", "T21", "T22", "T23", "T24", "T25")[:MOST]:
        sentence = mentions.sentence_of(finding)
        degree = next((digit for words, digit in _DEGREES if words.search(sentence)), None)
        if degree is not None and finding.code[_DEGREE_AT] == "0":
            code = f"{finding.code[:_DEGREE_AT]}{degree}{finding.code[_DEGREE_AT + 1 :]}"
            mentions.recode([finding], code, flag)


_DEGREE_AT = 4
_DEGREES = (
    (re.compile(r"\bfull[- ]thickness\b|\b(?:third|3rd)[- ]degree\b"), "3"),
    (re.compile(r"\bpartial[- ]thickness\b|\b(?:second|2nd)[- ]degree\b|\bblister"), "2"),
    (re.compile(r"\b(?:first|1st)[- ]degree\b|\bsuperficial\b"), "1"),
)
"""Words for the degree of a burn, and the character of its code."""


def _insects(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of(*(f"S{n}1" for n in range(10)))[:MOST]:
        if _INSECT.search(mentions.lowered, max(0, finding.start - _BEFORE), finding.end) is None:
            continue
        title = mentions.system.description(finding.code)
        wanted = title.replace("Open bite", "Insect bite (nonvenomous)")
        category = f"{finding.code[:2]}0"
        code = next(
            (
                c
                for c in mentions.system.descendants(category)
                if mentions.system.description(c) == wanted
            ),
            None,
        )
        if code is not None:
            mentions.recode([finding], code, flag)


_BEFORE = 12
"""Length of the text before a bite that may name the insect, in code points."""

_INSECT = re.compile(r"\b(?:tick|mosquito|bug|insect|flea|spider|ant|bedbug)\b")


def _intent(mentions: Mentions, flag: str) -> None:
    found = [
        finding
        for finding in mentions.of(*_POISONINGS)
        if len(finding.code) == WITH_7TH and finding.code[_INTENT_AT] in (_ACCIDENTAL, _INTENDED)
    ]
    match = _INTENT.search(mentions.lowered) if found else None
    if match is None or not mentions.is_present(*match.span()):
        return
    for finding in found[:MOST]:
        code = f"{finding.code[:_INTENT_AT]}{_INTENDED}{finding.code[_INTENT_AT + 1 :]}"
        if code != finding.code:
            mentions.recode([f for f in mentions.findings if f == finding], code, flag)
    mentions.remove(mentions.of(_ATTEMPT))


RULES: tuple[Rule, ...] = (
    Rule(
        "I.A.12.a", "bleeding or air in the chest or head after an injury is an injury", _internal
    ),
    Rule("I.B.2", "fractures of several ribs have one code", _ribs),
    Rule("I.C.19.d", "a burn has the code of the degree that the note names", _burns),
    Rule("I.B.2", "the bite of an insect is no open bite", _insects),
    Rule("I.C.19.e.5.b", "an intended overdose has the code of the intent", _intent),
)
"""The rules, in the order in which they are applied."""
