"""Combinations of diseases: hypertension, diabetes, sepsis, kidney disease, weight, COVID-19."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice

from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule
from cclearn.coding.guidelines.suggestions.measurements import values_of
from cclearn.notes.patient import read_patient


def _hypertension(mentions: Mentions, flag: str) -> None:
    pressure = mentions.of("I10", "I11", "I12")
    # A crisis says that there is hypertension, and keeps its own code.
    if not pressure and (not mentions.of("I16") or mentions.of("I13")):
        return
    # A search for a string is faster than one for a pattern, and mostly enough.
    may_separate = "not due" in mentions.lowered or "related to" in mentions.lowered
    if may_separate and _UNRELATED.search(mentions.lowered):
        return
    failure, kidney = mentions.of("I50"), mentions.of("N18")
    heart = mentions.of("I51.4", "I51.5", "I51.7")
    is_failing = bool(failure or mentions.of("I11.0"))
    is_late = bool(mentions.of("N18.5", "N18.6", "I12.0"))
    has_heart = bool(is_failing or heart or mentions.of("I11"))
    if has_heart and (kidney or mentions.of("I12")):
        code = f"I13.{'2' if is_late else '0'}" if is_failing else f"I13.1{'1' if is_late else '0'}"
    elif has_heart:
        code = "I11.0" if is_failing else "I11.9"
    elif kidney:
        code = "I12.0" if is_late else "I12.9"
    else:
        return
    if not pressure:
        mentions.add(mentions.of("I16"), code, flag)
    mentions.recode([finding for finding in pressure if finding.code != code], code, flag)
    mentions.recode(heart, code, flag)
    mentions.findings += [replace(found, code=code, rule=flag) for found in [*failure, *kidney]]


_UNRELATED = re.compile(
    r"(?:not (?:due|related)|unrelated) to (?:the |his |her )?(?:hypertension|htn)"
)


def _one_diabetes(mentions: Mentions, flag: str) -> None:
    """Give complications of "diabetes" the type that the note names elsewhere."""
    if not mentions.of("E10") or not mentions.of("E11") or _TYPE_2.search(mentions.text):
        return
    mentions.recode_each(mentions.of("E11"), lambda code: f"E10{code[3:]}", flag)
    if len({finding.code for finding in mentions.of("E10")}) > 1:
        specific = next(f.code for f in mentions.of("E10") if f.code != "E10.9")
        mentions.recode(mentions.of("E10.9"), specific, flag)


_TYPE_2 = re.compile(r"(?i)\b(?:type[- ]?(?:2|II)|T2|NIDDM|DM ?(?:2|II))")


def _diabetes(mentions: Mentions, flag: str) -> None:
    for category in ("E08", "E09", "E10", "E11", "E13"):
        diabetes = mentions.of(category)
        if not diabetes:
            continue
        plain = mentions.of(f"{category}.9")
        for stems, suffix, keeps in _MANIFESTATIONS:
            found = [
                finding
                for finding in mentions.of(*stems)
                if _NAMED.get(finding.code, "") in mentions.said_by(finding)
                and _OTHER_CAUSE.match(mentions.lowered, finding.end) is None
            ]
            if not found:
                continue
            code = f"{category}.{suffix}"
            mentions.recode(plain, code, flag)
            plain = []
            if keeps:
                mentions.findings += [replace(finding, code=code, rule=flag) for finding in found]
            else:
                mentions.recode(found, code, flag)
        return


_MANIFESTATIONS: tuple[tuple[tuple[str, ...], str, bool], ...] = (
    (("N18",), "22", True),
    (("N28.9", "N05.9"), "21", False),
    (("H35.00",), "319", False),
    (("G62.9", "G60.9"), "42", False),
    (("G58.9", "G62.89"), "40", False),
    (("K31.84",), "43", True),
    (("I73.9",), "51", False),
    (("I96",), "52", False),
    (("L97.4", "L97.5"), "621", True),
    (("M86",), "69", True),
    (("E16.2",), "649", False),
    (("R73.9",), "65", False),
)
"""Stems of a manifestation, the characters of its code of diabetes, and whether it keeps its own."""

_OTHER_CAUSE = re.compile(
    r"[\w ,]{0,20}?(?:due|secondary|related) to (?!\w* ?(?:diabet|dm\b|t[12]dm|type [12i]))"
)
"""Matches the words after a manifestation that name another cause than diabetes."""

_NAMED = {"I96": "gangren", "N28.9": "nephropath", "N05.9": "nephropath"}
"""Words of manifestations whose codes have other conditions too: necrosis has that of gangrene."""


def _poor_control(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of(
        *(f"{category}.9" for category in ("E08", "E09", "E10", "E11", "E13"))
    )[:MOST]:
        sentence = mentions.rules.sentence_at(finding.start)
        if _POOR_CONTROL.search(mentions.lowered, *sentence) is not None:
            mentions.recode([finding], f"{finding.code[:4]}65", flag)


_POOR_CONTROL = re.compile(
    r"\b(?:poorly|inadequately) controlled\b|\bout of control\b|\bpoor control\b"
)


def _sepsis(mentions: Mentions, flag: str) -> None:
    shock, sepsis = mentions.of("R65.21"), mentions.of("A40", "A41", "A02.1", "B37.7")
    failing = mentions.of("N17", "J96.0", "K72.0", "G93.41", "D65", "J80", "K76.7")
    if shock and not sepsis:
        mentions.add(shock, "A41.9", flag)
    elif sepsis and failing and not mentions.of("R65.2"):
        mentions.add([*sepsis, *failing], "R65.20", flag)


def _angina(mentions: Mentions, flag: str) -> None:
    for angina, code in _ANGINA:
        found = mentions.of(angina)
        if found and mentions.of("I25.10"):
            mentions.recode([*mentions.of("I25.10"), *found], code, flag)


_ANGINA = (
    ("I20.0", "I25.110"),
    ("I20.1", "I25.111"),
    ("I20.8", "I25.118"),
    ("I20.9", "I25.119"),
)
"""Stems of angina, and the code of coronary disease with it."""


def _valves(mentions: Mentions, flag: str) -> None:
    mitral, aortic = mentions.of("I34"), mentions.of("I35")
    tricuspid = mentions.of("I36", "I07")
    digit = _VALVES.get((bool(mitral), bool(aortic), bool(tricuspid)))
    if digit is not None:
        mentions.recode([*mitral, *aortic, *tricuspid], f"I08.{digit}", flag)


_VALVES = {
    (True, True, False): "0",
    (True, False, True): "1",
    (False, True, True): "2",
    (True, True, True): "3",
}
"""Last characters of the code of several valves: mitral, aortic and tricuspid."""


def _last_stage(mentions: Mentions, flag: str) -> None:
    found = mentions.of("N18.5")
    match = _ON_DIALYSIS.search(mentions.lowered) if found else None
    if (
        match is not None
        and mentions.is_present(*match.span())
        and not _NOT_YET.search(mentions.lowered, 0, match.start() + 3)
    ):
        mentions.recode(found, "N18.6", flag)


_ON_DIALYSIS = re.compile(
    r"\b(?:on|requir(?:es|ing)|undergoing|receiv(?:es|ing)) (?:chronic |maintenance |peritoneal |home )*"
    r"(?:(?:hemo|haemo)?dialysis|hd|pd|capd|ccpd)\b|\bdialysis[- ]dependent\b"
)


_NOT_YET = re.compile(r"\b(?:not|never)(?: yet| currently)? (?:(?:been )?on|need\w*|requir\w+) *\Z")


def _dialysis(mentions: Mentions, flag: str) -> None:
    if not mentions.of("N18.6", "I12.0", "I13.2"):
        return
    for found in islice(_DIALYSIS.finditer(mentions.text), MOST):
        is_planned = _NOT_YET.search(mentions.lowered, 0, found.start()) is not None
        if not is_planned and mentions.is_of_patient(*found.span()):
            mentions.add_span(*found.span(), "Z99.2", flag)
            return


_DIALYSIS = re.compile(
    r"(?<!no )(?<!not on )(?<!refuses )(?<!declines )"
    r"(?:\b(?i:(?:hemo|haemo)?dialysis|CAPD|CCPD)\b|\bHD\b)"
)


def _body_mass(mentions: Mentions, flag: str) -> None:
    if not mentions.of("E66", "E44", "E43", "E46", "R63.6"):
        return
    found = values_of("body mass index", mentions.text)
    # No such code is assigned during a pregnancy.
    if not found or mentions.of("O", "Z34", "Z33.1", "Z3A") or "pregnan" in mentions.lowered:
        return
    age = read_patient(mentions.text).age
    if age is not None and age.value < _ADULT:
        return  # The codes of children and adolescents are percentiles.
    value, start, end = found[0]
    if value < 20:
        code = "Z68.1"
    elif value < 40:
        code = f"Z68.{int(value)}"
    else:
        code = next(
            f"Z68.4{n}"
            for n, limit in ((5, 70), (4, 60), (3, 50), (2, 45), (1, 40))
            if value >= limit
        )
    mentions.add_span(start, end, code, flag)


_ADULT = 20
"""Age in years from which the codes of Z68 are values of the body mass index."""


def _covid_pneumonia(mentions: Mentions, flag: str) -> None:
    mentions.add(mentions.of("J12.82"), "U07.1", flag)


def _one_form(mentions: Mentions, flag: str) -> None:
    """Give mentions of an unspecified form the code of the form that the note names elsewhere."""
    for unspecified, stems in _FORMS:
        specific = [f for f in mentions.of(*stems) if f.code not in unspecified]
        if specific:
            found = [f for f in mentions.findings if f.code in unspecified]
            mentions.recode(found, specific[0].code, flag)


_FORMS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    *((((f"{category}.9",), (category,))) for category in ("E08", "E09", "E10", "E11", "E13")),
    (("F32.A", "F32.9"), ("F32", "F33")),
    (("G40.909",), ("G40",)),
    (("G43.909",), ("G43",)),
    (("I48.91",), ("I48.0", "I48.1", "I48.2")),
    (("I50.9",), ("I50.2", "I50.3", "I50.4")),
    *(((f"I50.{kind}0",), (f"I50.{kind}",)) for kind in "234"),
    (("E66.9",), ("E66",)),
    (("E78.5",), ("E78.0", "E78.1", "E78.2", "E78.4")),
    (("B19.20",), ("B18.2", "B17.1")),
    (("B19.10",), ("B18.1", "B16")),
    (("F43.10",), ("F43.1",)),
    (("J18.9",), ("J13", "J14", "J15", "J12", "B59")),
    (("J44.9",), ("J44",)),
    (("J45.909",), ("J45",)),
    (("K50.90",), ("K50",)),
    (("K51.90",), ("K51",)),
    (("M06.9",), ("M05", "M06.0", "M06.8")),
    (("N18.9",), ("N18",)),
    (("D64.9",), ("D50", "D51", "D52", "D55", "D56", "D57", "D58", "D59", "D63")),
    (("D69.6",), ("D69.3", "D69.4", "D69.5")),
    (("G62.9",), ("G62.0", "G62.1", "G62.2", "G62.8")),
)
"""Codes of the unspecified form of a disease that has one form in a patient, and stems of the others."""


RULES: tuple[Rule, ...] = (
    Rule("I.C.14.a.1", "kidney disease of stage 5 on dialysis is end-stage", _last_stage),
    Rule(
        "I.C.9.a",
        "hypertension with heart failure or chronic kidney disease is hypertensive disease",
        _hypertension,
    ),
    Rule(
        "I.C.4.a.1",
        "a complication of diabetes has the type of diabetes that the note names",
        _one_diabetes,
    ),
    Rule(
        "I.A.15, I.C.4.a",
        "diabetes and a manifestation that the classification links to it are related",
        _diabetes,
    ),
    Rule("I.C.4.a", "poorly controlled diabetes has hyperglycemia", _poor_control),
    Rule("I.A.15", "disorders of several valves of the heart have one code", _valves),
    Rule("I.C.9.b", "coronary disease and angina have one code", _angina),
    Rule(
        "I.C.1.d",
        "sepsis with acute organ dysfunction is severe sepsis; septic shock needs the code of sepsis",
        _sepsis,
    ),
    Rule(
        "I.B.2",
        "a chronic disease that the note specifies anywhere has one code, at that level of detail",
        _one_form,
    ),
    Rule("I.C.14.a, I.C.21.c.3", "end-stage renal disease on dialysis needs the status", _dialysis),
    Rule("I.B.14", "a body mass index is coded beside a documented disorder of weight", _body_mass),
    Rule("I.C.1.g.1", "pneumonia due to COVID-19 needs the code of COVID-19", _covid_pneumonia),
)
"""The rules, in the order in which they are applied."""
