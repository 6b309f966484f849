"""Finding the sex and the age of the patient in a note."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from cclearn.codes.patient_limits import Sex
from cclearn.notes.assertion import AssertionRules

Value = TypeVar("Value")

_SEXED = r"(?:(?P<female>woman|female|lady|girl|F)|(?P<male>man|male|gentleman|boy|M))(?![\w'’])"
_PERSON = r"(?:patient|pt|infant|baby|child|newborn|neonate|toddler|adult|person|individual)\b"
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
_PARTS = {"y": 1, "m": 12, "w": 52, "d": 365}
"""Units per year, by the first letter of the unit."""

# No pattern for the whole note begins with a look-behind, which would make the search many times slower.
_UNIT = (
    r"[- ]?(?:(?P<unit>year|yr|month|week|wk|day)s?(?P<old>[- ]?old| of age)?"
    r"|(?P<short>y|yr|m|mo|w|wk|d)(?P<mark>[/. ]?o\.?))(?!\w)"
)
_AGE = re.compile(rf"(?P<number>\d{{1,3}}){_UNIT}")
_OLD = re.compile(r"old(?!\w)")
_AGE_IN_WORDS = re.compile(rf"(?P<number>{'|'.join(_NUMBERS)}){_UNIT}$", re.IGNORECASE)
# Text before the age of another person, or the beginning of a longer number or word.
_ANOTHER_PERSON = re.compile(
    r"(?:(?:\b(?:[Hh]is|[Hh]er|their|whose|our)|['’]s) (?:[\w-]+ )?|[\w.,/-])$"
)
_CLAUSE = (
    r"(?:and|who|with|whose|of|in|on|at|for|from|to|by|since|after|history|old"
    r"|son|daughter|mother|father)\b"
)
# Words such as "right-handed Caucasian" may separate an age from its noun, but none that begins a
# clause.
_NOUN_AFTER = re.compile(
    rf"(?:[-, ]+(?!{_CLAUSE})[A-Za-z-]+){{0,4}}?[-, ]+(?:{_SEXED}|{_PERSON})"
    r"(?! (?:donor|partner|fetus|foetus|sibling|relative|cousin|friend))"
)
_NOUN_BEFORE = re.compile(rf"\b(?:{_SEXED}|{_PERSON})(?: patient)?,? (?:aged |of |who is |is )?$")
_SUBJECT_BEFORE = re.compile(r"\b(?:(?:[Pp]atient|[Pp]t) (?:is|was)|[Hh]e is|[Ss]he is) (?:an? )?$")

_NEWBORN = re.compile(rf"[Nn](?:ewborn|eonate)(?= {_SEXED}| with\b| admitted\b| presenting\b)")
_SENTENCE_BEFORE = re.compile(r"(?:^|[.\n])\s*(?:[Aa]n? )?(?:[A-Za-z-]+ ){0,2}$")
_AGE_FIELD = re.compile(r"Age[ \t]*:[ \t]*(?P<number>\d{1,3})(?=[ \t]*(?:$|[Yy\r\n]))")
_SEX_FIELD = re.compile(rf"(?:Sex|Gender)[ \t]*:[ \t]*{_SEXED}")
_SEX_STATED = re.compile(rf"[Pp]atient (?:is|was) an? (?:[a-z-]+ ){{0,3}}?{_SEXED}")
_TITLE = re.compile(r"M(?:(?P<female>rs|s|iss)|(?P<male>r))\.? (?=[A-Z])")

_MAY_BE_A_RELATIVE = re.compile(
    r"\b(?:fam|fh|grand|moth|fath|mom|dad|parent|[mp]aternal|sis|bro|sib|son|daugh|aunt|uncle|cous|relat)",
    re.IGNORECASE,
)
"""Beginnings of all words for relatives in the assertion rules. Most texts have none, which saves
time."""

_CONTEXT = 60
"""Number of characters around an age that are searched for the person."""

_SURROUNDINGS = 300
"""Number of characters before a statement that decide whether it is about a relative."""


@dataclass(frozen=True, slots=True)
class Statement(Generic[Value]):
    """A statement of a note about the patient.

    Attributes:
        value: Sex, or age in completed years.
        start: Offset of the first code point of the statement.
        end: Offset after its last code point.
    """

    value: Value
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Patient:
    """The sex and the age of a patient.

    Attributes:
        sex: Stated sex, None if the note states none or contradicts itself.
        age: Stated age, None if the note states none or contradicts itself.
    """

    sex: Statement[Sex] | None = None
    age: Statement[int] | None = None


def read_patient(text: str) -> Patient:
    """Return the sex and the age of a note's patient.

    Only plain statements count, e.g. "A 82-year-old woman", "65 y/o M", "Sex: F", "Mr. Smith" or "3
    month old infant". Pronouns do not count, nor do statements about relatives. The first statement is
    returned, unless another one contradicts it: another sex, or an age that differs by more than a year.
    """
    sexes: list[Statement[Sex]] = []
    ages: list[Statement[int]] = []
    for sex, age in _statements(text):
        statement = age or sex
        if statement is not None and not _of_a_relative(text, statement.start, statement.end):
            sexes += [sex] if sex else []
            ages += [age] if age else []
    sexes.sort(key=lambda sex: sex.start)
    ages.sort(key=lambda age: age.start)
    years = [age.value for age in ages]
    return Patient(
        sex=sexes[0] if len({sex.value for sex in sexes}) == 1 else None,
        age=ages[0] if years and max(years) - min(years) <= 1 else None,
    )


def _statements(text: str) -> Iterator[tuple[Statement[Sex] | None, Statement[int] | None]]:
    for match in _ages(text):
        old = match["old"] or match["mark"]
        if not old and match["unit"] != "year":
            continue
        first = max(0, match.start() - _CONTEXT)
        before = text[first : match.start()]
        if old and (noun := _NOUN_AFTER.match(text, match.end(), match.end() + _CONTEXT)):
            sex = _sex(noun)
        elif noun := _NOUN_BEFORE.search(before):
            sex = _sex(noun, first)
        elif old and _SUBJECT_BEFORE.search(before):
            sex = None
        else:
            continue
        if not _ANOTHER_PERSON.search(before):
            yield sex, _age(match)
    for match in _NEWBORN.finditer(text) if "ewborn" in text or "eonate" in text else ():
        if _SENTENCE_BEFORE.search(text[max(0, match.start() - _CONTEXT) : match.start()]):
            yield _sex(match), Statement(0, *match.span())
    for match in _AGE_FIELD.finditer(text):
        yield None, Statement(int(match["number"]), *match.span("number"))
    for match in chain(_SEX_FIELD.finditer(text), _SEX_STATED.finditer(text)):
        yield _sex(match), None
    for match in _TITLE.finditer(text):
        title: Sex = "female" if match["female"] else "male"
        yield Statement(title, match.start(), match.end(title)), None


def _ages(text: str) -> Iterator[re.Match[str]]:
    yield from _AGE.finditer(text)
    for old in _OLD.finditer(text):
        if match := _AGE_IN_WORDS.search(text, max(0, old.end() - _CONTEXT // 2), old.end()):
            yield match


def _of_a_relative(text: str, start: int, end: int) -> bool:
    first = max(0, start - _SURROUNDINGS)
    around = text[first : end + _CONTEXT]
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
