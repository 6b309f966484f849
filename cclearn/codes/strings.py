"""Every string that a code system itself gives for a code, with the field it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from cclearn.codes.system import CodeSystem
from cclearn.codes.table import Kind

Field = Literal["title", "inclusion_term", "short_title", "short_inclusion_term", "includes"]

PRECEDENCE: tuple[Field, ...] = (
    "title",
    "inclusion_term",
    "short_title",
    "short_inclusion_term",
    "includes",
)
"""Where several codes claim one string, the field listed first wins; a tie is ambiguous."""

# Parentheses hold nonessential modifiers, brackets synonyms and abbreviations; NOS is "unspecified"
# (ICD-10-CM Official Guidelines, sections I.A.6, I.A.7).
_BRACKETED = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])")
_ABBREVIATION = re.compile(r"\s*[(\[](?P<letters>[A-Z][A-Za-z]*[A-Z])[)\]]")
_NOT_SPECIFIED = re.compile(
    r",? (?:NOS|unspecified(?: \w+)?)$|^unspecified |, unspecified(?=,)", re.IGNORECASE
)
"""Also "Pneumonia, unspecified organism": without the words the classification means the same."""


@dataclass(frozen=True, slots=True)
class CodeString:
    """A string that stands for a code."""

    text: str
    code: str
    field: Field


def code_strings(system: CodeSystem, under: str | None = None) -> Iterator[CodeString]:
    """Yield every string of every category and subcategory, in tabular order.

    Args:
        system: The code system.
        under: Only the codes at and below this one.
    """
    for code in system.rows():
        if code.kind < Kind.CATEGORY:
            continue
        if under is not None and under != code.code and under not in system.ancestors(code.code):
            continue
        if code.description:  # The headers of ICD-9-CM have none.
            yield CodeString(code.description, code.code, "title")
        for short in short_forms(code.description):
            yield CodeString(short, code.code, "short_title")
        for term in code.synonyms:
            yield CodeString(term, code.code, "inclusion_term")
            for short in short_forms(term):
                yield CodeString(short, code.code, "short_inclusion_term")
        for term in system.includes(code.code):
            for form in (term, *short_forms(term)):
                yield CodeString(form, code.code, "includes")


def string_key(text: str) -> str:
    """Spell alike what differs in case and white space alone."""
    return " ".join(text.casefold().split())


def strongest_claims(
    strings: Iterable[CodeString], key: Callable[[str], str]
) -> dict[str, list[CodeString]]:
    """Return for each string, spelt by `key`, the claims of the strongest field that claims it.

    Args:
        strings: What the codes claim, in tabular order.
        key: Spells alike what is to be held for the same string.
    """
    strongest: dict[str, list[CodeString]] = {}
    for string in strings:
        claims = strongest.setdefault(key(string.text), [])
        if claims and PRECEDENCE.index(string.field) < PRECEDENCE.index(claims[0].field):
            claims.clear()
        if not claims or string.field == claims[0].field:
            claims.append(string)
    return strongest


def short_forms(text: str) -> list[str]:
    """Return the shorter ways of saying a title that the classification's conventions allow.

    `Essential (primary) hypertension` → `Essential hypertension`; `Heart failure, unspecified` and
    `Heart failure NOS` → `Heart failure`; `Human immunodeficiency virus [HIV] disease` → also
    `HIV disease`. Words that carry meaning (`other`, `without`, a side) stay.
    """
    if "(" not in text and "[" not in text and not _NOT_SPECIFIED.search(text):
        return []
    forms = [_BRACKETED.sub("", text), _with_abbreviation(text)]
    forms += [_NOT_SPECIFIED.sub("", form) for form in forms]
    found: list[str] = []
    for form in forms:
        tidy = " ".join(form.split()).strip(" ,")
        if len(tidy) > 2 and tidy not in (text, *found):
            found.append(tidy)
    return found


def _with_abbreviation(text: str) -> str:
    """Put a bracketed abbreviation in the place of the words whose initials it spells."""
    match = _ABBREVIATION.search(text)
    if match is None:
        return text
    words = text[: match.start()].split()
    letters = match["letters"].upper()
    spelt = words[-len(letters) :]
    if [word[0].upper() for word in spelt] != list(letters):
        return text
    return " ".join([*words[: -len(letters)], match["letters"], text[match.end() :].strip()])
