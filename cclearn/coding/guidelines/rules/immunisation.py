"""Immunisations that are given in the encounter of a note, or refused."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import Mentions, Rule

_VACCINE = re.compile(
    r"(?:vaccin(?:es?|ations?|ated)|immuni[sz](?:ations?|ed)|boosters?|tdap|dtap|mmr|pneumovax|prevnar"
    r"|shingrix|gardasil|(?:flu|influenza|tetanus|pneumonia|covid(?:-19)?|shingles|hpv) shots?)\b"
)
_SIGNS = ("vaccin", "immunis", "immuniz", "booster", " shot", "tdap", "mmr")
"""One of them is in almost every sentence with a vaccine."""

_NOW = re.compile(
    r"\b(?:today|(?:at|in|during) (?:this|today's) (?:visit|encounter|appointment)"
    r"|in (?:the )?(?:clinic|office))\b"
)
_NOT_NOW = re.compile(
    r"\b(?:not?|never|will|would|due|overdue|plan\w*|schedul\w+|recommend\w*|discuss\w*|ask\w*|consider"
    r"|advis\w+|offer\w*|defer\w*|postpon\w+|declin\w+|refus\w+|ago|last|previous\w*|prior|past|earlier"
    r"|yesterday|next|tomorrow|pharmacy|elsewhere|up[- ]to[- ]date|current|if|should|wants?|needs?"
    r"|reaction|after|since|(?:19|20)\d\d)\b"
)
_REFUSED = re.compile(r"\b(?<!not )(?:declin(?:es?|ed)|refus(?:es?|ed|al))\b")
_CARER = re.compile(r"\b(?:mother|father|mom|dad|parents?|guardian|caregiver|family)\b")


def _immunisation(mentions: Mentions, flag: str) -> None:
    for start, end in mentions.sentences_with(_SIGNS):
        sentence = mentions.lowered[start:end]
        match = _VACCINE.search(sentence)
        if match is None:
            continue
        span = (start + match.start(), start + match.end())
        if _REFUSED.search(sentence):
            code = "Z28.82" if _CARER.search(sentence) else "Z28.21"
            mentions.add_span(*span, code, flag)
        elif _NOW.search(sentence) and not _NOT_NOW.search(sentence):
            mentions.add_span(*span, "Z23", flag)


RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.21.c.2, I.C.21.c.14",
        "an immunisation of this encounter is coded if it is given, and if it is refused",
        _immunisation,
    ),
)
"""The rules, in the order in which they are applied."""
