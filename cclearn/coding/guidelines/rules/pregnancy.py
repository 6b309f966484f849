"""Combinations of pregnancy: its weeks, its trimesters, and conditions in it."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.tables import PREGNANCY, read_rows
from cclearn.coding.guidelines.mentions import CATEGORY, WITH_7TH, Mentions, Rule


def _conditions(mentions: Mentions, flag: str) -> None:
    sentences = [
        sentence
        for sentence in mentions.sentences_with(_SIGNS)
        if _is_of_pregnancy(mentions, *sentence)
    ]
    sentences += [
        mentions.rules.sentence_at(match.start())
        for match in _PARITY_AND_WEEKS.finditer(mentions.lowered)
        if mentions.is_present(*match.span())
    ]
    is_now = any(_WEEKS.search(mentions.text, *sentence) for sentence in sentences)
    if is_now and _AFTER_BIRTH.search(mentions.lowered) is None:
        sentences = [
            (0, len(mentions.text))
        ]  # All conditions of the note are conditions in pregnancy.
    for row in _table() if sentences else ():
        found = [
            finding
            for finding in mentions.of(*row.stems)
            if any(first <= finding.start < last for first, last in sentences)
        ]
        if found and row.keeps:
            mentions.add(found, row.code, flag)
        elif found:
            mentions.recode(found, row.code, flag)
        for finding in mentions.of(row.code[:-1]) if row.word else ():
            if row.word in mentions.said_by(finding) and not mentions.of(row.own[:CATEGORY]):
                mentions.add([finding], row.own, flag)


_SIGNS = ("preg", "prenatal", "antepartum", "gestation")
"""One of them is in every sentence with a pregnancy."""

_PREGNANT = re.compile(
    r"(?:\bpreg(?:nan(?:t|cy))?\b(?!,? (?:tests?|(?:in|of) (?:19|20)\d\d))|prenatal|antepartum"
    r"|weeks(?: of)? gestation)"
)
_PARITY_AND_WEEKS = re.compile(
    r"(?:\bg\d{1,2} ?p\d{1,4}\b|\bgravida \d{1,2},? para \d{1,2}\b"
    r"|\b(?:iup|n?svd|c-?section|cesarean|induction|iol)\b|\b\d{2} ?f\b|\bwoman\b)"
    r"(?=[^.\n]{0,20}\b(?:at|is|,) ?\d{1,2}(?:\+\d|\.\d| \d/7)? ?-?(?:w(?:ee)?ks?\b|w\d ?d?\b))"
)
"""Matches numbers of pregnancies and births before weeks of gestation: "G2P1 at 31 weeks"."""

_AFTER_BIRTH = re.compile(
    r"\b(?:newborn|infant|neonat\w*|born|baby|deliver\w+|post-?partum|puerper\w+)\b"
)
"""Words of notes in which weeks of gestation may be those of a birth."""

_ANOTHER = re.compile(r"\b(?:last|previous|prior|past|first|after|post)[ -]\Z")
_MAX_ANOTHER = 10
"""Maximum length of the word before "pregnancy" that says that it is another one, in code points."""


def _is_of_pregnancy(mentions: Mentions, start: int, end: int) -> bool:
    """Return whether a sentence says that the patient is pregnant now.

    A condition in another sentence may be older than the pregnancy, or later, unless weeks of gestation
    say that the patient is pregnant now.
    """
    return any(
        mentions.is_present(*match.span())
        for match in _PREGNANT.finditer(mentions.lowered, start, end)
        if not _ANOTHER.search(
            mentions.lowered, max(0, match.start() - _MAX_ANOTHER), match.start()
        )
    )


class _Row(NamedTuple):
    """A row of the table: see its header."""

    code: str
    stems: tuple[str, ...]
    keeps: bool
    word: str
    own: str


@cache
def _table() -> tuple[_Row, ...]:
    rows = []
    for code, stems, keeps, words in read_rows(PREGNANCY, 4):
        word, _, own = words.partition(" ")
        rows.append(_Row(code, tuple(stems.split(" ")), bool(keeps), word, own))
    return tuple(rows)


def _treated_diabetes(mentions: Mentions, flag: str) -> None:
    gestational = mentions.of("O24.419")
    if not gestational:
        return
    for drug, code in ((_INSULIN, "O24.414"), (_ORAL, "O24.415")):
        found = drug.search(mentions.lowered)
        if found is not None and mentions.is_present(*found.span()):
            mentions.recode(gestational, code, flag)
            return


_INSULIN = re.compile(r"\binsulin\b(?! (?:resistan|not ))")
_ORAL = re.compile(r"\b(?:metformin|glyburide)\b(?! not )")


def _parity(mentions: Mentions, flag: str) -> None:
    supervised = mentions.of("Z34.9")
    if not supervised:
        return
    for parity, stem in ((_FIRST, "Z34.0"), (_FURTHER, "Z34.8")):
        if parity.search(mentions.lowered):
            for code in sorted({finding.code for finding in supervised}):
                mentions.recode(mentions.of(code), f"{stem}{code[-1]}", flag)
            return


_FIRST = re.compile(r"\b(?:first pregnancy|primigravida|g1 ?p0|g1\b)")
_FURTHER = re.compile(r"\b(?:g[2-9] ?p\d|multigravida|(?:second|third|fourth) pregnancy)\b")


def _weeks(mentions: Mentions, flag: str) -> None:
    pregnancy = mentions.of(*_WITH_WEEKS)
    if not pregnancy:
        return
    found = _WEEKS.search(mentions.text)
    if found is None:
        return
    weeks = int(found["weeks"])
    if not 8 <= weeks <= 42:
        return
    mentions.add_span(*found.span(), f"Z3A.{weeks:02d}", flag)
    if weeks < _VIABLE:
        mentions.recode(mentions.of("O46.90"), "O20.9", flag)
    labor = mentions.of("O47.9", "O47.0")
    mentions.recode(labor, "O47.1" if weeks >= _TERM else f"O47.0{2 if weeks < 28 else 3}", flag)
    trimester = 1 if weeks < 14 else 2 if weeks < 28 else 3
    mentions.recode_each(
        pregnancy, lambda code: _in_trimester(code, trimester, mentions.system), flag
    )


_VIABLE, _TERM = 20, 37
"""Weeks from which bleeding is antepartum, and from which labor is at term."""

_WITH_WEEKS = ("O09", "O1", "O2", "O3", "O4", "O6", "O80", "O82", "O98", "O99", "Z34", "Z33.1")
"""Stems of codes beside which weeks are coded, which no pregnancy with an abortive outcome has."""

_WEEKS = re.compile(
    r"(?i)(?<!for )(?<!x )(?<!born at )(?<!delivered at )"
    r"\b(?P<weeks>\d{1,2})(?:\s*\+\s*\d|\s*\d/7|\.\d)?"
    r"\s*-?(?:weeks?|wks?|wga?|w(?:\d\s?d?)?)\b"
    r"(?! (?:ago|post|after|old|later|follow|course|supply|history|hx|of (?:cough|pain|fever)))"
)
"""Weeks of gestation. A duration of something else or a time in the past has other words after it."""


def _in_trimester(code: str, trimester: int, system: CodeSystem) -> str | None:
    """Return the code of the trimester beside a code of an unspecified trimester."""
    title = system.description(code)
    if "unspecified trimester" not in title:
        return None
    name = ("first", "second", "third")[trimester - 1]
    wanted = title.replace("unspecified trimester", f"{name} trimester")
    return next(
        (other for other in _beside(code, system) if system.description(other) == wanted), None
    )


def _beside(code: str, system: CodeSystem) -> list[str]:
    """Return the codes of a category that end like a code, if it has a 7th character."""
    if len(code) < WITH_7TH:
        return list(system.siblings(code))
    return [other for other in system.descendants(code[:CATEGORY]) if other[-1] == code[-1]]


def _earlier_cesarean(mentions: Mentions, flag: str) -> None:
    earlier = mentions.of("Z98.891")
    if earlier and (mentions.of("O", "Z34", "Z37") or _PARITY_AND_WEEKS.search(mentions.lowered)):
        code = "O34.211" if "low transverse" in mentions.lowered else "O34.219"
        mentions.recode(earlier, code, flag)


def _supervised(mentions: Mentions, flag: str) -> None:
    if any(not finding.code.startswith("O09") for finding in mentions.of("O")):
        mentions.remove(mentions.of("Z34"))


RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.15.a.1, I.C.15.c, I.C.15.d",
        "a condition of a pregnant patient has a code of chapter 15",
        _conditions,
    ),
    Rule(
        "I.A.15", "an earlier cesarean section of a pregnant patient is a scar", _earlier_cesarean
    ),
    Rule("I.C.15.i", "gestational diabetes on insulin or other drugs says so", _treated_diabetes),
    Rule("I.C.15.b.1", "the supervision of a pregnancy says whether it is the first", _parity),
    Rule(
        "I.C.15.a.3, I.C.21.c.11",
        "weeks of gestation are coded beside codes of pregnancy, and decide their trimester",
        _weeks,
    ),
    Rule("I.C.15.b.1", "supervision is not coded beside complications", _supervised),
)
"""The rules, in the order in which they are applied."""
