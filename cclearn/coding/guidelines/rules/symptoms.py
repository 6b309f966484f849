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


def _delirium(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("R41.0")[:MOST]:
        is_delirium = "deliri" in mentions.said_by(finding)
        if is_delirium and _CAUSED.match(mentions.lowered, finding.end) is not None:
            mentions.recode([finding], "F05", flag)


_CAUSED = re.compile(r",? (?:likely )?(?:(?:due|secondary|related) to|d/t|2/2|from) ")


def _several(mentions: Mentions, flag: str) -> None:
    for pattern, codes in _SEVERAL:
        for match in pattern.finditer(mentions.lowered):
            if not mentions.is_present(*match.span()):
                continue
            for code in codes:
                if not mentions.of(code):
                    mentions.add_span(*match.span(), code, flag)


_SEVERAL = (
    (re.compile(r"\b(?:n/v/d|nvd)\b"), ("R11.2", "R19.7")),
    (
        re.compile(
            r"\bincontinen(?:t|ce) (?:of|to) (?:both )?"
            r"(?:(?:urine|bladder)(?: and |/| & )(?:stool|bowels?|feces)"
            r"|(?:stool|bowels?|feces)(?: and |/| & )(?:urine|bladder))\b"
            r"|\bbowel(?: and |/| & )bladder incontinence\b"
        ),
        ("R32", "R15.9"),
    ),
)
"""Words that name several symptoms, and the code of each."""


def _injured(mentions: Mentions, flag: str) -> None:
    pains = mentions.of(*_INJURIES)[:MOST]
    for pain in pains:
        injuries = mentions.of(*_INJURIES[pain.code[:6]])
        sides = _sides_of(pain, mentions)
        if any(not (other := _sides_of(one, mentions)) or sides <= other for one in injuries):
            mentions.remove([pain])


def _sides_of(finding: Finding, mentions: Mentions) -> set[str]:
    title = mentions.system.description(finding.code)
    return {side for side in ("left", "right") if side in title}


_INJURIES = {
    "M25.51": ("S42.0", "S42.1", "S42.2", "S43"),
    "M25.52": ("S42.4", "S52.0", "S52.12", "S53"),
    "M25.53": ("S52.5", "S52.6", "S62.0", "S62.1", "S63"),
    "M25.55": ("S72.0", "S72.1", "S73"),
    "M25.56": ("S82.0", "S82.1", "S83"),
    "M25.57": ("S82.5", "S82.6", "S82.8", "S93"),
}
"""Stems of the pains of joints, and those of injuries that explain them."""

RULES: tuple[Rule, ...] = (
    Rule("I.B.5", "a symptom that is integral to a disease is not coded beside it", _integral),
    Rule("I.B.4, I.B.5", "a symptom with a stated cause is not coded beside it", _explained),
    Rule("I.B.5", "pain of a joint is integral to an injury of it", _injured),
    Rule("I.A.13", "delirium that a condition causes has a code of its own", _delirium),
    Rule("I.B.4", "words that name several symptoms have the code of each", _several),
    Rule("I.C.1.b", "an organism is coded beside the disease that it causes only", _organisms),
)
"""The rules, in the order in which they are applied."""
