"""Adverse effects of drugs that were given or taken as prescribed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from cclearn.codes.clinical_terms.tables import ADVERSE_EFFECTS, read_table
from cclearn.coding.guidelines.mentions import Mentions, Rule
from cclearn.coding.guidelines.names import Named, Names

_DUE_TO = re.compile(
    r"(?:due|secondary) to |d/t |2/2 |(?:caused|induced) by |because of |\bfrom |[- ]induced\b"
)
_AS_PRESCRIBED = re.compile(
    r"\b(?:as (?:prescribed|directed|ordered)|correctly (?:taken|used|given)|therapeutic dose)"
)
_CHEMOTHERAPY = "T45.1"
"""Stem of the drugs that clinicians give themselves, so that nothing more need be said."""

_SIGNS = ("as prescribed", "as directed", "as ordered", "correctly ", "therapeutic dose", "chemo")
"""One of them is in every sentence with an effect that is coded."""

_FURTHEST = 30
"""Maximum length of the name of a drug and what is before it, in code points."""

_NO_EFFECT = ("C", "T", "Z")

_EFFECTS: tuple[tuple[str, str, str], ...] = (
    ("G62.9", "T", "G62.0"),
    ("E03.9", "T", "E03.2"),
    ("I95.9", "T", "I95.2"),
    ("D64.9", _CHEMOTHERAPY, "D64.81"),
    ("D69.6", "T", "D69.59"),
    ("D70.9", _CHEMOTHERAPY, "D70.1"),
    ("D70.9", "T", "D70.2"),
    ("D61.818", _CHEMOTHERAPY, "D61.810"),
    ("D61.818", "T", "D61.811"),
    ("R21", "T", "L27.0"),
    ("K52.9", "T", "K52.1"),
    ("E16.2", "T", "E16.0"),
    ("R25.1", "T", "G25.1"),
)
"""Code of a condition, stem of the code of the drug, and code of the condition if the drug caused it."""


def _adverse_effects(mentions: Mentions, flag: str) -> None:
    for sentence in mentions.sentences_with(_SIGNS):
        effects = [
            found for found in mentions.within(*sentence) if not found.code.startswith(_NO_EFFECT)
        ]
        for drug in _blamed_drugs(mentions.lowered, *sentence) if effects else ():
            is_given = drug.code.startswith(_CHEMOTHERAPY)
            if (is_given or _AS_PRESCRIBED.search(mentions.lowered, *sentence)) and (
                mentions.is_present(drug.start, drug.end)
            ):
                for plain, stem, code in _EFFECTS:
                    if drug.code.startswith(stem):
                        changed = [found for found in effects if found.code == plain]
                        mentions.recode(changed, code, flag)
                mentions.add_span(drug.start, drug.end, drug.code, flag)


def _blamed_drugs(lowered: str, start: int, end: int) -> Iterator[Named]:
    """Yield the drugs that a sentence says something is due to."""
    for match in _DUE_TO.finditer(lowered, start, end):
        if match[0].endswith("induced"):
            before = list(
                _names().find(lowered, max(start, match.start() - _FURTHEST), match.start())
            )
            if before and before[-1].end == match.start():
                yield before[-1]
        else:
            drug = next(
                _names().find(lowered, match.end(), min(end, match.end() + _FURTHEST)), None
            )
            if drug is not None and _BEFORE_DRUG.fullmatch(lowered, match.end(), drug.start):
                yield drug


_BEFORE_DRUG = re.compile(r"(?:the |her |his |an? )?(?:recent |ongoing |oral |iv )?")


@cache
def _names() -> Names:
    return Names(read_table(ADVERSE_EFFECTS))


RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.19.e.5.a",
        "the effect of a drug taken as prescribed has the code of the drug beside it",
        _adverse_effects,
    ),
)
"""The rules, in the order in which they are applied."""
