"""Symptoms that are not coded beside the disease that explains them."""

from __future__ import annotations

import re
from functools import cache

from cclearn.codes.clinical_terms.tables import INTEGRAL, read_table
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule

_EXPLAINED = ("R05", "R06.0", "R07", "R51", "R42")
"""Stems of symptoms that are not coded if the note says which disease they are due to."""

_DUE_TO = re.compile(
    r",? (?:(?:is|was|are|were) )?(?:(?:due|secondary|attributed) to|d/t|2/2) (?:\w+ )?\Z"
    r"|,? (?:(?:is|was|are|were) )?(?:caused by|because of|resulting from|from) (?:\w+ )?\Z"
)
_FURTHEST = 40
"""Maximum distance of a disease from its symptom in code points."""


def _integral(mentions: Mentions, flag: str) -> None:
    possible = mentions.of(*_all_symptoms())
    for symptoms, diseases in _table() if possible else ():
        found = [finding for finding in possible if finding.code.startswith(symptoms)]
        if found and mentions.of(*diseases):
            mentions.remove(found)


def _explained(mentions: Mentions, flag: str) -> None:
    symptoms = mentions.of(*_EXPLAINED)[:MOST]
    mentions.remove([found for found in symptoms if _is_explained(mentions, found)])


def _is_explained(mentions: Mentions, symptom: Finding) -> bool:
    return any(
        0 < disease.start - symptom.end <= _FURTHEST
        and not disease.code.startswith("R")
        and _DUE_TO.match(mentions.lowered, symptom.end, disease.start) is not None
        for disease in mentions.findings
    )


@cache
def _table() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    return tuple(
        (tuple(symptoms.split(" ")), tuple(diseases.split(" ")))
        for symptoms, diseases in read_table(INTEGRAL)
    )


@cache
def _all_symptoms() -> tuple[str, ...]:
    return tuple(stem for symptoms, _ in _table() for stem in symptoms)


def _organisms(mentions: Mentions, flag: str) -> None:
    """Remove organisms that nothing but symptoms is beside: they are the cause of a disease."""
    organisms = mentions.of("B95", "B96", "B97")
    if organisms and all(found.code.startswith(_NO_INFECTION) for found in mentions.findings):
        mentions.remove(organisms)


_NO_INFECTION = ("B95", "B96", "B97", "R", "Z")

RULES: tuple[Rule, ...] = (
    Rule("I.B.5", "a symptom that is integral to a disease is not coded beside it", _integral),
    Rule("I.B.4, I.B.5", "a symptom with a stated cause is not coded beside it", _explained),
    Rule("I.C.1.b", "an organism is coded beside the disease that it causes only", _organisms),
)
"""The rules, in the order in which they are applied."""
