"""What remains of a past stroke."""

from __future__ import annotations

import re

from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule

_PAST_STROKE = "Z86.73"
_REMAINS = re.compile(
    r"\bresiduals?\b|\bsequelae?\b|\blate effects?\b"
    r"|\b(?:persistent|persisting|remaining) deficits?\b"
    r"|\b(?:stroke|cva|infarct(?:ion)?)s?,? (?:(?:in|\() ?(?:19|20)\d\d\)?,? )?"
    r"(?:with|leaving|resulting in)\b"
    r"|\b(?:from|due to|secondary to|after) (?:an? |his |her |the )?(?:prior|previous|old|remote|past)\b"
    r"|\b(?:\w*hemi\w+|weakness|aphasia|dys\w+a|droop)[ ,]+s/p\b"
)
"""Matches words that link a deficit with a past stroke."""

_STROKE = "I63"
_LATE = re.compile(r"\bresiduals?\b|\bsequelae?\b|\blate effects?\b")
"""Matches words of a stroke that is past, although the note does not say so."""

_DEFICITS = re.compile(
    r"\b(?:(?P<side>left|right|[lr])(?:[- ]sided?)? )?"
    r"(?P<hemi>hemi(?:paresis|plegia|paretic|plegic)|weakness)\b"
    r"|\b(?P<aphasia>aphasi[ac])\b|\b(?P<dysphasia>dysphasi[ac])\b|\b(?P<dysarthria>dysarthri[ac])\b"
    r"|\b(?P<dysphagia>dysphagi[ac])\b|\b(?P<ataxia>ata(?:xia|xic))\b"
    r"|\b(?P<face>facial (?:weakness|droop|palsy)|face droop)\b"
    r"|\b(?P<memory>memory (?:loss|deficits?|impairment))\b"
    r"|\b(?P<cognition>cognitive (?:deficits?|impairment|decline))\b"
)
_CODES = {
    "aphasia": "I69.320",
    "dysphasia": "I69.321",
    "dysarthria": "I69.322",
    "dysphagia": "I69.391",
    "ataxia": "I69.393",
    "face": "I69.392",
    "memory": "I69.311",
    "cognition": "I69.319",
}
_HEMIPLEGIA = {"right": "I69.351", "left": "I69.354", None: "I69.359"}
"""Codes of hemiplegia by side. The right one counts as dominant (Official Guidelines, I.C.6.a)."""

_SIDE = re.compile(r"\b(?:left|right|[lr])\b")
_SIDES = {"l": "left", "r": "right"}
_BEFORE = 12
"""Length of the text before hemiplegia in which its side is, in code points."""

_REPLACED = ("G81", "R13", "R27.0", "R29.810", "R41", "R47", "R53.1", "M62.81")
"""Stems of the deficits without their cause."""


def _stroke(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of(_HEMIPLEGIA[None])[:MOST]:
        before = max(0, finding.start - _BEFORE)
        sides = {
            _SIDES[side[0][0]] for side in _SIDE.finditer(mentions.lowered, before, finding.end)
        }
        if len(sides) == 1:
            mentions.recode([finding], _HEMIPLEGIA[sides.pop()], flag)
    strokes = [f for f in [*mentions.findings, *mentions.others] if f.code == _PAST_STROKE]
    late = [
        finding
        for finding in mentions.of(_STROKE)[:MOST]
        if _LATE.search(mentions.lowered, *mentions.rules.sentence_at(finding.start)) is not None
    ]
    strokes += late
    for start, end in dict.fromkeys(mentions.rules.sentence_at(f.start) for f in strokes[:MOST]):
        sentence = mentions.lowered[start:end]
        if _REMAINS.search(sentence) is None:
            continue
        found = []
        for match in _DEFICITS.finditer(sentence):
            kind = match.lastgroup or ""
            is_weak = match["hemi"] is not None
            # Weakness of no side may have any cause.
            if match["hemi"] == "weakness" and match["side"] is None:
                continue
            span = (start + match.start(), start + match.end())
            if mentions.rules.assertion_of(*span) in ("present", "historical"):
                code = _HEMIPLEGIA[_side_of(match)] if is_weak else _CODES[kind]
                found.append(Finding(code, *span, rule=flag))
        if found:
            mentions.remove(
                finding
                for finding in mentions.findings
                if start <= finding.start < end
                and (
                    finding.code.startswith(_REPLACED)
                    or finding.code == _PAST_STROKE
                    or finding in late
                )
            )
            mentions.others = [
                finding
                for finding in mentions.others
                if not (start <= finding.start < end and finding.code == _PAST_STROKE)
            ]
            for finding in found:
                mentions.add_span(finding.start, finding.end, finding.code, flag)


def _side_of(match: re.Match[str]) -> str | None:
    side = match["side"]
    return None if side is None else _SIDES[side[0]]


RULES: tuple[Rule, ...] = (
    Rule("I.C.9.d", "what remains of a past stroke has the code of the sequela", _stroke),
)
"""The rules, in the order in which they are applied."""
