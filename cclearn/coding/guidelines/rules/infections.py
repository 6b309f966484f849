"""Infections: the organism of a site, sepsis that is specified elsewhere, fever of neutropenia."""

from __future__ import annotations

import re
from itertools import islice

from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule

_STAPHYLOCOCCI = (
    (re.compile(r"\b(?:mrsa|methicillin[- ]resistant[a-z .]*)\b"), "J15.212", "B95.62"),
    (re.compile(r"\b(?:mssa|methicillin[- ]susceptible[a-z .]*)\b"), "J15.211", "B95.61"),
)
"""Names of the organism, the code of pneumonia by it, and its code beside that of another site."""

_PNEUMONIA = "J18.9"
_PNEUMONIA_OF = re.compile(r"(?: staph\w*)?(?: aureus)? pneumonia\b")
_OF_OTHER_SITES = ("L00", "L01", "L02", "L03", "L08", "M00", "M86", "N39.0", "R78.81", "T81.4")
_UNSPECIFIED_SITE = ("A49.01", "A49.02")
_UNSPECIFIED_SEPSIS = "A41.9"


_SIGNS = ("mrsa", "mssa", "methicillin")
"""One of them is in every note with these organisms, and a search for a string is fast."""


def _organism(mentions: Mentions, flag: str) -> None:
    if not any(sign in mentions.lowered for sign in _SIGNS):
        return
    for organism, pneumonia, beside in _STAPHYLOCOCCI:
        for match in islice(organism.finditer(mentions.lowered), MOST):
            if not mentions.is_present(*match.span()):
                continue
            if _PNEUMONIA_OF.match(mentions.lowered, match.end()) is not None:
                mentions.recode(mentions.of(_PNEUMONIA), pneumonia, flag)
            sentence = mentions.rules.sentence_at(match.start())
            found = mentions.within(*sentence)
            if any(finding.code.startswith(_OF_OTHER_SITES) for finding in found):
                mentions.remove(f for f in found if f.code in _UNSPECIFIED_SITE)
                mentions.add_span(*match.span(), beside, flag)


def _one_sepsis(mentions: Mentions, flag: str) -> None:
    specific = [f for f in mentions.of("A40", "A41") if f.code != _UNSPECIFIED_SEPSIS]
    if specific:
        mentions.recode(mentions.of(_UNSPECIFIED_SEPSIS), specific[0].code, flag)


def _neutropenic_fever(mentions: Mentions, flag: str) -> None:
    if mentions.of("D70"):
        mentions.recode(mentions.of("R50.9"), "R50.81", flag)
        mentions.add(
            (f for f in mentions.of("D70") if _FEVER.search(mentions.said_by(f))), "R50.81", flag
        )


_FEVER = re.compile(r"\bfebrile\b|\bfever")


RULES: tuple[Rule, ...] = (
    Rule("I.B.7, I.C.1.e", "an infection of a site has the code of its organism", _organism),
    Rule("I.C.1.d.1", "sepsis has the code of the organism that the note names", _one_sepsis),
    Rule("I.A.13", "fever of neutropenia is fever in another condition", _neutropenic_fever),
)
"""The rules, in the order in which they are applied."""
