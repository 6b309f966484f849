"""Cancer: one code for each, its receptors, and encounters for its treatment."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import Mentions, Rule

_GENERAL = {
    "C50": ("C50.9",),
    "C34": ("C34.9",),
    "C18": ("C18.9",),
    "C43": ("C43.9",),
    "C81": ("C81.9",),
    "C83": ("C85.9",),
    "C82": ("C85.9", "C82.9"),
    "C90": ("C90.00",),
}
"""Stems of the codes of an unspecified site or kind, which another code of a category specifies."""

_REMISSION = ("C90.01", "C90.02")


def _one_cancer(mentions: Mentions, flag: str) -> None:
    for category, general in _GENERAL.items():
        specific = [f for f in mentions.of(category) if not f.code.startswith(general)]
        if category == "C90":
            specific = mentions.of(*_REMISSION)
        plain = mentions.of(*general)
        sides = {f.code[-1] for f in [*specific, *plain] if f.code[-1] in "12"}
        if specific and plain and (category not in ("C50", "C34") or len(sides) < 2):
            mentions.recode(plain, specific[0].code, flag)


_POSITIVE = r" ?(?:\+|pos(?:itive)?\b)"
_NEGATIVE = r" ?(?:-(?!\w)|−|neg(?:ative)?\b)"
_HORMONE = re.compile(
    r"\b(?:er|pr|hr|estrogen receptor|hormone receptor)"
    rf"(?:(?P<positive>{_POSITIVE})|(?P<negative>{_NEGATIVE}))"
)
_HER2 = re.compile(rf"\bher-?2(?:/neu)?(?:(?P<positive>{_POSITIVE})|(?P<negative>{_NEGATIVE}))")
_TRIPLE = re.compile(r"\btriple[- ]negative\b|\btnbc\b")
_RECEPTORS = {
    (True, True): "Z17.410",
    (True, False): "Z17.411",
    (False, True): "Z17.420",
    (False, False): "Z17.421",
    (True, None): "Z17.0",
    (False, None): "Z17.1",
}
"""Codes by whether the receptors of hormones and HER2 are positive. None if HER2 is not named."""


def _receptors(mentions: Mentions, flag: str) -> None:
    if not mentions.of("C50") or mentions.of("Z17"):
        return
    triple = _TRIPLE.search(mentions.lowered)
    if triple is not None and mentions.is_of_patient(*triple.span()):
        mentions.add_span(*triple.span(), "Z17.421", flag)
        return
    hormones = list(_HORMONE.finditer(mentions.lowered))
    her2 = _HER2.search(mentions.lowered)
    if hormones:
        positive = any(match["positive"] for match in hormones)
        key = (positive, None if her2 is None else her2["positive"] is not None)
        code = mentions.billable(_RECEPTORS[key])
        last = hormones[-1].end() if her2 is None else max(hormones[-1].end(), her2.end())
        mentions.add_span(hormones[0].start(), min(last, hormones[0].start() + 60), code, flag)


_HERE = (
    r"\b(?:here|presents?|presenting|admitted|arrives?|seen|returns?)(?: \w+){0,2} for"
    r" (?:[\w/+.-]+ ){0,6}?"
)
_TREATMENTS = (
    (
        re.compile(
            rf"(?:{_HERE}|\b(?:cycle \d+(?:,? day \d+)?|c\d+ ?d\d+)(?: of)? (?:[\w/+.-]+ ){{0,2}}?)"
            r"(?:chemo(?:therapy)?|folfox|folfiri|folfirinox|r-chop|abvd|carboplatin|cisplatin|paclitaxel"
            r"|docetaxel|pemetrexed|gemcitabine|ac)\b|\bchemo(?:therapy)? today\b"
        ),
        "Z51.11",
    ),
    (
        re.compile(
            rf"{_HERE}(?:immunotherapy|pembrolizumab|nivolumab|atezolizumab|durvalumab|ipilimumab"
            r"|trastuzumab|rituximab|keytruda|opdivo)\b"
        ),
        "Z51.12",
    ),
    (
        re.compile(
            rf"{_HERE}(?:radiation|radiotherapy|xrt|imrt)\b|\bradiation treatment(?:,)? fraction \d+"
        ),
        "Z51.0",
    ),
)


def _treatment(mentions: Mentions, flag: str) -> None:
    if not mentions.of("C", "Z85"):
        return
    for pattern, code in _TREATMENTS:
        match = pattern.search(mentions.lowered)
        if match is not None and mentions.is_present(*match.span()):
            mentions.add_span(*match.span(), code, flag)


RULES: tuple[Rule, ...] = (
    Rule("I.B.2", "cancer that the note specifies anywhere has one code", _one_cancer),
    Rule("I.B.7", "cancer of the breast has the code of its receptors", _receptors),
    Rule("I.C.2.e.2", "an encounter for the treatment of cancer has its code", _treatment),
)
"""The rules, in the order in which they are applied."""
