"""Tobacco: packs that are smoked, and when the patient quit."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import Mentions, Rule

_SIGNS = ("ppd", "pack", "smok", "tobacco", "cigar")
"""One of them is in every sentence about tobacco."""

_PACKS = re.compile(
    r"(?<![\w.])(?:\d+(?:[./]\d+)?|½|half an?|one|two|three|a) ?-?"
    r"(?:ppd\b|(?:packs?|pk)(?: ?/ ?|[- ](?:per|a|each)[- ])d(?:ay)?\b)"
)
_QUIT = re.compile(
    r"\b(?:quit|stopped)(?: (?:smoking|tobacco|cigarettes))?(?:,? (?:in|at|about|around|over|since))*"
    r" ?~?(?:(?:19|20)\d\d\b|'\d\d\b|age \d|(?:\d+|an?|one|two|three|four|five|ten|many|several)\+? ?"
    r"(?:y|yrs?|years?|mos?|months?)\b)"
)
_BY_ANOTHER = re.compile(
    r"\b(?:wife|husband|spouse|partner|girlfriend|boyfriend|mother|father|parents?|brother|sister|son"
    r"|daughter|mom|dad)(?: also| has| had)?[ ]*\Z"
)
"""Matches another person before the word for quitting."""

_AFTER = 30
"""Number of code points after a sentence in which the note may say when the patient quit."""


def _tobacco(mentions: Mentions, flag: str) -> None:
    for start, end in mentions.sentences_with(_SIGNS):
        smoking = [
            found
            for found in mentions.of("F17.20", "F17.21")
            if start <= found.start and found.end <= end
        ]
        packs = _PACKS.search(mentions.lowered, start, end)
        first = min(
            [found.start for found in smoking] + ([packs.start()] if packs else []), default=None
        )
        if first is None:
            continue
        quit_at = _QUIT.search(mentions.lowered, first, end + _AFTER)
        has_quit = quit_at is not None and not _BY_ANOTHER.search(
            mentions.lowered, first, quit_at.start()
        )
        code = "Z87.891" if has_quit else "F17.210"
        is_known = smoking or mentions.of("F17", "Z87.891", "Z72.0")
        if smoking and (has_quit or packs):
            mentions.recode(smoking, code, flag)
        elif packs and not is_known and mentions.is_present(*packs.span()):
            mentions.add_span(*packs.span(), code, flag)


RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.5.b.3, I.C.21.c.4",
        "packs of cigarettes a day are nicotine dependence, or its history if the patient quit",
        _tobacco,
    ),
)
"""The rules, in the order in which they are applied."""
