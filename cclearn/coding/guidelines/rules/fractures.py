"""Fractures: open ones, those that heal, and those of osteoporosis."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule

_FRACTURES = (
    "S42",
    "S49",
    "S52",
    "S59",
    "S62",
    "S72",
    "S79",
    "S82",
    "S89",
    "S92",
    "S22",
    "S32",
    "S12",
)
_LONG_BONES = ("S52", "S72", "S82")
"""Categories whose open fractures have 7th characters by the type of the wound."""

_INITIAL = "A"
_OPEN = re.compile(
    r"\b(?:open|compound)(?! reduction)(?: (?:[\w-]+)){0,4} (?:fractures?|fx)\b"
    r"|\b(?:fractures?|fx)\b[^.;\n]{0,40}, open\b(?! reduction)"
)
_SEVERE = re.compile(
    r"\b(?:type|grade|gustilo(?:[- ]anderson)?)(?: type| grade)? ?(?:iii|3)(?:[abc])?\b"
)
_HEALING = (
    (re.compile(r"\bnon-?union\b"), "K"),
    (re.compile(r"\bmal-?union\b"), "P"),
    (re.compile(r"\bdelayed (?:healing|union)\b"), "G"),
    (
        re.compile(
            r"\b(?:routine healing|healing (?:well|fracture|appropriately)|aftercare"
            r"|post-?op(?:erative)?"
            r"|(?:follow[- ]?up|f/u) (?:of|for|visit)|cast (?:check|removed|removal|off)"
            r"|(?:s/p|status post) (?:orif|crpp|im nail\w*|open reduction|fixation|pinning))\b"
        ),
        "D",
    ),
)
"""What a note says of the healing, and the 7th character of closed fractures."""

_OSTEOPOROSIS = "M81.0"
_COLLAPSE = "M48.5"
_FRAGILITY = "fragility fracture"
_FRAGILE = ("osteopor", _FRAGILITY)
_OF_OSTEOPOROSIS = (
    (("M48.5", "S22.0", "S32.0"), "M80.08X"),
    (("S72.0", "S72.1"), "M80.05"),
    (("S52.5", "S62.1"), "M80.03"),
    (("S42.2",), "M80.02"),
)
"""Stems of fractures, and those of the same sites in osteoporosis, without the side."""


def _visit(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of(*_FRACTURES)[:MOST]:
        if not finding.code.endswith(_INITIAL):
            continue
        sentence = mentions.sentence_of(finding)
        character = next((last for words, last in _HEALING if words.search(sentence)), None)
        if character is None and _OPEN.search(sentence):
            is_severe = finding.code.startswith(_LONG_BONES) and _SEVERE.search(sentence)
            character = "C" if is_severe else "B"
        if character is not None:
            mentions.recode([finding], f"{finding.code[:-1]}{character}", flag)


def _osteoporosis(mentions: Mentions, flag: str) -> None:
    osteoporosis = mentions.of(_OSTEOPOROSIS)
    if not osteoporosis and _FRAGILITY not in mentions.lowered:
        return
    for stems, stem in _OF_OSTEOPOROSIS:
        for finding in mentions.of(*stems)[:MOST]:
            sentence = mentions.sentence_of(finding)
            has_collapsed = bool(osteoporosis) and finding.code.startswith(_COLLAPSE)
            if has_collapsed or any(word in sentence for word in _FRAGILE):
                side = "" if stem.endswith("X") else _side(finding.code)
                code = f"{stem}{side}{finding.code[-1]}"
                mentions.recode([finding, *mentions.of(_OSTEOPOROSIS)], code, flag)


def _of_cancer(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("M84.4")[:MOST]:
        sentence = mentions.rules.sentence_at(finding.start)
        due = _DUE_TO.search(mentions.lowered, finding.end, sentence[1])
        if due is not None and any(
            found.code.startswith("C") for found in mentions.within(due.end(), sentence[1])
        ):
            mentions.recode([finding], f"M84.5{finding.code[5:]}", flag)


_DUE_TO = re.compile(r"\b(?:due to|from|secondary to|in the setting of|caused by)\b")


def _side(code: str) -> str:
    """Return the digit of the side of a fracture: 1 right, 2 left, 9 unspecified."""
    return code[_SIDE] if code[_SIDE] in "12" else "9"


_SIDE = 6
"""Index of the side in the code of a fracture of a limb."""

RULES: tuple[Rule, ...] = (
    Rule("I.C.2.l.6", "a pathological fracture that cancer causes says so", _of_cancer),
    Rule("I.C.13.d.2", "a fracture of osteoporosis has the code of both", _osteoporosis),
    Rule(
        "I.C.19.c", "an open or healing fracture has the 7th character that the note names", _visit
    ),
)
"""The rules, in the order in which they are applied."""
