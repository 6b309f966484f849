"""Patterns of the identifiers of people: numbers, dates, e-mail addresses, telephone numbers and names.

An identifier is compared by a key that does not depend on how it is written. `Doe, John` has the key of
`John Doe`, and `12 March 2021` that of `03/12/2021`. The key is a hash, so that no value is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unicodedata import normalize

from cclearn.audit.grams import hash_of


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier in a text.

    Attributes:
        kind: Kind of the identifier, e.g. `phone`.
        start: Offset of the first code point.
        end: Offset after the last code point.
        key: Hash of the identifier, independent of how it is written.
    """

    kind: str
    start: int
    end: int
    key: int


Recogniser = Callable[[str], Iterator[Identifier]]
"""A function that yields the identifiers in a text, in any order."""

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

_MONTHS = {
    name: number
    for number, name in enumerate(
        "jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1
    )
}
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DATES = (
    re.compile(
        r"(?<![\d./-])(?P<a>\d{1,4})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<c>\d{1,4})(?![\d/-])"
    ),
    re.compile(rf"(?i)\b(?P<a>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<b>{_MONTH}),?\s+(?P<c>\d{{4}})\b"),
    re.compile(rf"(?i)\b(?P<b>{_MONTH})\s+(?P<a>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<c>\d{{4}})\b"),
)

_PHONE = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[ .-]?|1[ .-])?(?:\(\d{2,4}\) ?|\d{2,4}[ .-])\d{3,4}[ .-]?\d{3,4}(?![\w-])"
)

_NUMBER = re.compile(r"(?<![\d.,-])(?:\d{5,}|\d+(?:-\d+){2,})(?![\d-])(?!\.\d)")
"""Matches digits in a row, or at least three groups of them. Two groups are a range: `2000-2499 g`."""

_NAME_WORD = r"(?:[^\W\d_a-zß-öø-ÿ][\w\u0300-\u036f'’-]+|[A-Z]\.)"
_NAMES = (
    re.compile(
        r"\b(?:Dr|Mr|Mrs|Ms|Miss|Prof|Doctor|Professor)\.?\s+"
        rf"(?P<name>{_NAME_WORD}(?:[ ]{_NAME_WORD}){{0,2}})"
    ),
    re.compile(
        r"(?im:^[ \t]*|\b(?:patient(?:['’]s)?|full|first|last|family|given|physician|provider)[ ]+)"
        rf"(?i:sur)?(?i:name)[ ]*:[ ]*(?P<name>{_NAME_WORD}(?:,?[ ]{_NAME_WORD}){{0,2}})"
    ),
)
"""Patterns of names after a title, and after `Name:`."""

_CAPITALISED = re.compile(rf"\b{_NAME_WORD}(?:,?[ ]{_NAME_WORD})+")
"""Matches a run of words that begin with a capital."""

_NAME_PART = re.compile(r"[^\W\d_][\w\u0300-\u036f'’-]+")

_LONGEST_NAME = 3
"""Maximum number of words of a name."""

_FEWEST_DIGITS = 7
"""Minimum number of digits of a telephone number."""

_FEWEST_DIGITS_OF_A_NUMBER = 5


def digits_key(text: str) -> int:
    """Return the key of a number: the hash of its digits.

    A 1 before ten digits is left out, as the code of a country before a telephone number.
    """
    digits = "".join(filter(str.isdigit, text))
    return hash_of("digits " + (digits[1:] if len(digits) == 11 and digits[0] == "1" else digits))


def text_key(text: str) -> int:
    """Return the key of an identifier that is compared in lower case."""
    return hash_of(f"text {normalize('NFC', text).lower()}")


def _date_key(found: re.Match[str]) -> int | None:
    """Return the key of a date, the same for both orders of day and month; None if it is no date."""
    first, second, third = found["a"], found["b"], found["c"]
    middle = _MONTHS.get(second[:3].lower()) or (int(second) if second.isdigit() else 0)
    if len(first) == 4:
        first, third = third, first  # The year comes first.
    if len(third) not in (2, 4) or len(first) > 2:
        return None
    low, high = sorted((int(first), middle))
    if not (1 <= low <= 12 and high <= 31):
        return None
    return hash_of(f"date {int(third) % 100} {low} {high}")


def find_identifiers(text: str) -> Iterator[Identifier]:
    """Yield the identifiers in a text.

    E-mail addresses, dates, telephone numbers and other numbers do not overlap. A number has at least
    five digits. Names are those after a title, such as `Dr.`, and after `Name:`.

    Args:
        text: Text of a note.
    """
    taken: list[tuple[int, int]] = []

    def is_free(found: re.Match[str]) -> bool:
        return all(found.end() <= start or found.start() >= end for start, end in taken)

    for found in _EMAIL.finditer(text):
        taken.append(found.span())
        yield Identifier("email", *found.span(), text_key(found[0]))
    for pattern in _DATES:
        for found in filter(is_free, pattern.finditer(text)):
            key = _date_key(found)
            if key is not None:
                taken.append(found.span())
                yield Identifier("date", *found.span(), key)
    for found in filter(is_free, _PHONE.finditer(text)):
        if sum(map(str.isdigit, found[0])) >= _FEWEST_DIGITS:
            taken.append(found.span())
            yield Identifier("phone", *found.span(), digits_key(found[0]))
    for found in filter(is_free, _NUMBER.finditer(text)):
        if sum(map(str.isdigit, found[0])) >= _FEWEST_DIGITS_OF_A_NUMBER:
            yield Identifier("number", *found.span(), digits_key(found[0]))
    for pattern in _NAMES:
        for found in pattern.finditer(text):
            words = _name_words(text, *found.span("name"))
            # The name may end before the last capitalised word: `Name: John Doe Date of birth`.
            for size in range(min(2, len(words)), len(words) + 1):
                if size:
                    yield _name(words[:size])


def find_possible_names(text: str) -> Iterator[Identifier]:
    """Yield every two or three consecutive capitalised words, which may be a name without a title.

    Args:
        text: Text of a note.
    """
    for found in _CAPITALISED.finditer(text):
        words = _name_words(text, *found.span())
        for size in range(2, _LONGEST_NAME + 1):
            for first in range(len(words) - size + 1):
                yield _name(words[first : first + size])


def _name_words(text: str, start: int, end: int) -> list[re.Match[str]]:
    """Return the words of a name between two offsets, without initials."""
    return list(_NAME_PART.finditer(text, start, end))


def _name(words: list[re.Match[str]]) -> Identifier:
    """Return a name, whose key does not depend on the order of its words."""
    names = sorted(normalize("NFC", word[0]).lower() for word in words)
    key = hash_of(" ".join(["name", *names]))
    return Identifier("name", words[0].start(), words[-1].end(), key)
