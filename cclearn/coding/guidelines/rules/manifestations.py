"""Diseases with a manifestation or a symptom that the classification codes together or beside them."""

from __future__ import annotations

import re

from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule


def _heart_failure(mentions: Mentions, flag: str) -> None:
    hypertensive = mentions.of("I11.0", "I13.0", "I13.2")
    if hypertensive and not mentions.of("I50", "I09.81"):
        # "Hypertensive heart failure" is a term of the combination, and does not name the failure alone.
        mentions.add(_that_say(mentions, hypertensive, "with heart failure"), "I50.9", flag)


def _anemia_in_kidney_disease(mentions: Mentions, flag: str) -> None:
    if mentions.of("N18"):
        mentions.recode(mentions.of("D64.9"), "D63.1", flag)


def _gastroparesis(mentions: Mentions, flag: str) -> None:
    neuropathy = mentions.of(*(f"{category}.43" for category in _DIABETES))
    mentions.add(_that_say(mentions, neuropathy, "gastropar"), "K31.84", flag)


def _foot_ulcer(mentions: Mentions, flag: str) -> None:
    ulcers = mentions.of(*(f"{category}.621" for category in _DIABETES))
    if not ulcers or mentions.of("L97"):
        return
    for word, stem in (("heel", "L97.4"), ("foot", "L97.5"), ("toe", "L97.5")):
        for ulcer in ulcers:
            if word in mentions.lowered[ulcer.start : ulcer.end + _SITE_WITHIN]:
                said = mentions.sentence_of(ulcer)
                side = "2" if "left" in said else "1" if "right" in said else "0"
                mentions.add([ulcer], f"{stem}{side}9", flag)
                return


_SITE_WITHIN = 20
"""Length of the text after an ulcer in which its site is, in code points."""

_DIABETES = ("E08", "E09", "E10", "E11", "E13")


def _prostate(mentions: Mentions, flag: str) -> None:
    if mentions.of("N40.1", "R33", "R35", "R39.1", "N39.4"):
        mentions.recode(mentions.of("N40.0"), "N40.1", flag)
    enlarged = mentions.of("N40.1")
    if not enlarged:
        return
    mentions.recode(mentions.of("R33.9"), "R33.8", flag)
    for words, code in (("retention", "R33.8"), ("nocturia", "R35.1")):
        mentions.add(_that_say(mentions, enlarged, words), code, flag)


def _dementia(mentions: Mentions, flag: str) -> None:
    disease = mentions.of("G30", "G31.0", "G31.83", "G20", "G10")
    if not disease:
        return
    mentions.recode_each(
        mentions.of("F03"), lambda code: f"F02{code[3:].replace('.9', '.8')}", flag
    )
    mentions.add(_that_say(mentions, disease, "dementia"), "F02.80", flag)


def _vascular_dementia(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of("F01")[:MOST]:
        start, end = mentions.rules.sentence_at(finding.start)
        if _DUE_TO.search(mentions.lowered, start, end) is not None:
            mentions.remove(f for f in mentions.within(start, end) if f.code.startswith("I63"))


_DUE_TO = re.compile(r"\b(?:due|secondary) to|\b(?:from|after)\b")


def _kidney_stones(mentions: Mentions, flag: str) -> None:
    stones, swelling = mentions.of("N20"), mentions.of("N13.30", "N13.39")
    if stones and swelling:
        mentions.recode([*stones, *swelling], "N13.2", flag)


def _behavior(mentions: Mentions, flag: str) -> None:
    dementia = mentions.of("F01.50", "F02.80", "F03.90", "F01.518", "F02.818", "F03.918")
    for pattern, stems, ending in _BEHAVIORS if dementia else ():
        found = pattern.search(mentions.lowered)
        if found is not None and mentions.is_present(*found.span()):
            mentions.remove(mentions.of(*stems))
            for code in sorted({finding.code for finding in dementia}):
                mentions.recode(mentions.of(code), f"{code[:5]}{ending}", flag)
            return


_BEHAVIORS: tuple[tuple[re.Pattern[str], tuple[str, ...], str], ...] = (
    (re.compile(r"\b(?:agitat\w+|aggress\w+|combative\w*)"), ("R45.1", "R45.6"), "11"),
    (
        re.compile(r"\b(?:hallucinat\w+|delusion\w*|psychosis|psychotic)"),
        ("R44", "F29", "F22"),
        "2",
    ),
    (re.compile(r"\b(?:sleep disturbance|disinhibit\w+)"), ("G47.9",), "18"),
)
"""Behavior, the stems of the symptoms that it replaces, and the ending of the code of a dementia."""


def _that_say(mentions: Mentions, findings: list[Finding], word: str) -> list[Finding]:
    """Return the findings whose evidence contains a word."""
    return [found for found in findings if word in mentions.said_by(found)]


RULES: tuple[Rule, ...] = (
    Rule("I.C.9.a.1", "hypertensive heart disease with heart failure has its type", _heart_failure),
    Rule(
        "I.A.15",
        "anemia and chronic kidney disease are related unless the note names another cause",
        _anemia_in_kidney_disease,
    ),
    Rule("I.A.13", "diabetic gastroparesis has the code of the manifestation", _gastroparesis),
    Rule("I.C.4.a, I.B.7", "a diabetic foot ulcer has the code of its site", _foot_ulcer),
    Rule(
        "I.A.15, I.B.7", "an enlarged prostate and urinary symptoms are coded together", _prostate
    ),
    Rule("I.A.13", "dementia in another disease has the code of such a dementia", _dementia),
    Rule("I.C.9.d", "the strokes that led to vascular dementia are past", _vascular_dementia),
    Rule("I.A.15", "hydronephrosis and a stone of the same tract are related", _kidney_stones),
    Rule("I.C.5.d", "dementia has the code of the behavior that the note names", _behavior),
)
"""The rules, in the order in which they are applied."""
