"""The sex and the age that a note states of its patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from cclearn.codes.limits import Sex
from cclearn.notes.assertion import AssertionRules

Value = TypeVar("Value")

_SEXED = r"(?:(?P<female>woman|female|lady|girl|F)|(?P<male>man|male|gentleman|boy|M))(?![\w'’])"
_PERSON = r"(?:patient|pt|infant|baby|child|newborn|neonate|toddler|adult|person|individual)\b"
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
_PARTS = {"y": 1, "m": 12, "w": 52, "d": 365}
"""How many of a unit, by its first letter, make a year."""

# No pattern over the whole note begins with a look behind: it would be searched many times slower.
_UNIT = (
    r"[- ]?(?:(?P<unit>year|yr|month|week|wk|day)s?(?P<old>[- ]?old| of age)?"
    r"|(?P<short>y|yr|m|mo|w|wk|d)(?P<mark>[/. ]?o\.?))(?!\w)"
)
_AGE = re.compile(rf"(?P<number>\d{{1,3}}){_UNIT}")
_OLD = re.compile(r"old(?!\w)")
_AGE_IN_WORDS = re.compile(rf"(?P<number>{'|'.join(_NUMBERS)}){_UNIT}$", re.IGNORECASE)
# Another's age, or the end of a longer number or word.
_ANOTHERS = re.compile(r"(?:(?:\b(?:[Hh]is|[Hh]er|their|whose|our)|['’]s) (?:[\w-]+ )?|[\w.,/-])$")
_CLAUSE = (
    r"(?:and|who|with|whose|of|in|on|at|for|from|to|by|since|after|history|old"
    r"|son|daughter|mother|father)\b"
)
# Between an age and the noun stand words such as "right-handed Caucasian", none that begins a clause.
_NOUN_BEHIND = re.compile(
    rf"(?:[-, ]+(?!{_CLAUSE})[A-Za-z-]+){{0,4}}?[-, ]+(?:{_SEXED}|{_PERSON})"
    r"(?! (?:donor|partner|fetus|foetus|sibling|relative|cousin|friend))"
)
_NOUN_BEFORE = re.compile(rf"\b(?:{_SEXED}|{_PERSON})(?: patient)?,? (?:aged |of |who is |is )?$")
_SUBJECT_BEFORE = re.compile(r"\b(?:(?:[Pp]atient|[Pp]t) (?:is|was)|[Hh]e is|[Ss]he is) (?:an? )?$")

_NEWBORN = re.compile(rf"[Nn](?:ewborn|eonate)(?= {_SEXED}| with\b| admitted\b| presenting\b)")
_SENTENCE_BEFORE = re.compile(r"(?:^|[.\n])\s*(?:[Aa]n? )?(?:[A-Za-z-]+ ){0,2}$")
_AGE_FIELD = re.compile(r"Age[ \t]*:[ \t]*(?P<number>\d{1,3})(?=[ \t]*(?:$|[Yy\n]))")
_SEX_FIELD = re.compile(rf"(?:Sex|Gender)[ \t]*:[ \t]*{_SEXED}")
_SEX_SAID = re.compile(rf"[Pp]atient (?:is|was) an? (?:[a-z-]+ ){{0,3}}?{_SEXED}")
_TITLE = re.compile(r"M(?:(?P<female>rs|s|iss)|(?P<male>r))\.? (?=[A-Z])")

_MAY_BE_A_RELATIVE = re.compile(
    r"\b(?:fam|fh|grand|moth|fath|mom|dad|parent|[mp]aternal|sis|bro|sib|son|daugh|aunt|uncle|cous|relat)",
    re.IGNORECASE,
)
"""How every word begins by which the assertion rules tell a relative, so that they are seldom asked."""

_LOOK = 60
"""How many characters around an age are looked at for the person whose age it is."""

_SURROUNDINGS = 300
"""How many characters before a statement are read for whether it is of a relative."""


@dataclass(frozen=True, slots=True)
class Statement(Generic[Value]):
    """What a note states, and where.

    Attributes:
        value: The sex, or the age in full years.
        start: Offset of the first code point that says so.
        end: Offset behind the last.
    """

    value: Value
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Patient:
    """What a note states of its patient; None where it does not, or contradicts itself."""

    sex: Statement[Sex] | None = None
    age: Statement[int] | None = None


def read_patient(text: str) -> Patient:
    """Return the sex and the age that a note states of its patient.

    Only plain statements count: "A 82-year-old woman", "65 y/o M", "Sex: F", "Mr. Smith", "3 month old
    infant"; no pronouns, and nothing in a sentence or a section on the family. The first one holds;
    where another contradicts it (the other sex, or an age more than a year apart), nothing is known.
    """
    sexes: list[Statement[Sex]] = []
    ages: list[Statement[int]] = []
    for sex, age in _statements(text):
        place = age or sex
        if place is not None and not _of_a_relative(text, place.start, place.end):
            sexes += [sex] if sex else []
            ages += [age] if age else []
    sexes.sort(key=lambda each: each.start)
    ages.sort(key=lambda each: each.start)
    years = [each.value for each in ages]
    return Patient(
        sex=sexes[0] if len({each.value for each in sexes}) == 1 else None,
        age=ages[0] if years and max(years) - min(years) <= 1 else None,
    )


def _statements(text: str) -> Iterator[tuple[Statement[Sex] | None, Statement[int] | None]]:
    for match in _ages(text):
        old = match["old"] or match["mark"]
        if not old and match["unit"] != "year":
            continue
        first = max(0, match.start() - _LOOK)
        before = text[first : match.start()]
        if old and (noun := _NOUN_BEHIND.match(text, match.end(), match.end() + _LOOK)):
            sex = _sex(noun)
        elif noun := _NOUN_BEFORE.search(before):
            sex = _sex(noun, first)
        elif old and _SUBJECT_BEFORE.search(before):
            sex = None
        else:
            continue
        if not _ANOTHERS.search(before):
            yield sex, _age(match)
    for match in _NEWBORN.finditer(text) if "ewborn" in text or "eonate" in text else ():
        if _SENTENCE_BEFORE.search(text[max(0, match.start() - _LOOK) : match.start()]):
            yield _sex(match), Statement(0, *match.span())
    for match in _AGE_FIELD.finditer(text):
        yield None, Statement(int(match["number"]), *match.span("number"))
    for match in chain.from_iterable(each.finditer(text) for each in (_SEX_FIELD, _SEX_SAID)):
        yield _sex(match), None
    for match in _TITLE.finditer(text):
        title: Sex = "female" if match["female"] else "male"
        yield Statement(title, match.start(), match.end(title)), None


def _ages(text: str) -> Iterator[re.Match[str]]:
    yield from _AGE.finditer(text)
    for old in _OLD.finditer(text):
        if match := _AGE_IN_WORDS.search(text, max(0, old.end() - _LOOK // 2), old.end()):
            yield match


def _of_a_relative(text: str, start: int, end: int) -> bool:
    first = max(0, start - _SURROUNDINGS)
    around = text[first : end + _LOOK]
    if not _MAY_BE_A_RELATIVE.search(around):
        return False
    return AssertionRules(around).assertion_of(start - first, end - first) == "family"


def _sex(match: re.Match[str], offset: int = 0) -> Statement[Sex] | None:
    if match["female"]:
        return Statement("female", offset + match.start("female"), offset + match.end("female"))
    if match["male"]:
        return Statement("male", offset + match.start("male"), offset + match.end("male"))
    return None


def _age(match: re.Match[str]) -> Statement[int]:
    word = match["number"].lower()
    number = int(word) if word.isdigit() else _NUMBERS.index(word) + 1
    unit = (match["unit"] or match["short"]).lower()
    return Statement(number // _PARTS[unit[0]], *match.span())
