"""Every string that a code system itself gives for a code, with the field it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cclearn.codes.system import CodeSystem
from cclearn.codes.table import Kind

Field = Literal["title", "title_form", "inclusion_term_form", "inclusion_term", "includes"]

PRECEDENCE: tuple[Field, ...] = (
    "title",
    "title_form",
    "inclusion_term_form",
    "inclusion_term",
    "includes",
)
"""Where several codes claim one string, the field listed first wins; a tie is ambiguous.

The forms are shorter ways of saying a title or a term. They come before the terms themselves:
`Pyelonephritis NOS` of N12 says that the word alone is N12, and `Pyelonephritis` of N16 that it may be a
part of what N16 is about.
"""

# Parentheses hold nonessential modifiers, brackets synonyms and abbreviations; NOS is "unspecified"
# (ICD-10-CM Official Guidelines, sections I.A.6, I.A.7).
_BRACKETED = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])")
_ABBREVIATION = re.compile(r"\s*[(\[](?P<letters>[A-Z][A-Za-z]*[A-Z])[)\]]")
_SPECIES = re.compile(
    r"(?P<genus>[A-Z])[a-z]+ (?P<species>[a-z]+) \[(?P<short>(?P=genus)\. (?P=species)) ?\]"
)

_PREPOSITIONS = "of|in|to|by|with|for|from|at|on|during"
_IMPLIED = (
    "site|sites|organism|type|cause|trimester|severity|degree|part|parts|side|laterality|duration|nature|"
    "origin|stage|reason|reasons|means|time|level|location|mechanism"
)
"""What need not be named at all where it is not specified: `Pneumonia, unspecified organism`."""

_UNSPECIFIED = tuple(
    (re.compile(pattern, re.IGNORECASE), put)
    for pattern, put in (
        (r",? NOS(?=,|$)", ""),
        (r"^unspecified (?!and |or )", ""),
        (rf", unspecified(?: (?:{_IMPLIED}|eye|ear|extremity))?(?=,|$)", ""),
        (rf",? (?:{_IMPLIED}) unspecified(?=,|$)", ""),
        (rf"(?: due)? (?:{_PREPOSITIONS}) unspecified (?:{_IMPLIED})(?=,| |$)", ""),
        (rf"(?P<head>,| (?:{_PREPOSITIONS})) unspecified (?!and |or )(?=\w)", r"\g<head> "),
    )
)
"""Words that the classification adds where nothing more is known, and what is left without them. A part
of the body stays: `Pain in unspecified hip` is a pain in the hip."""

_SAYS_UNSPECIFIED = re.compile(r"[Uu]nspecified|\bNOS\b")
_BROKEN = re.compile(rf"\b(?:{_PREPOSITIONS}|and|or|the|due)(?:,|$)")


@dataclass(frozen=True, slots=True)
class CodeString:
    """A string that stands for a code."""

    text: str
    code: str
    field: Field


@lru_cache(maxsize=2)
def code_strings(system: CodeSystem) -> tuple[CodeString, ...]:
    """Return every string of every category and subcategory, in tabular order.

    Shorter forms follow the conventions of the ICD; other systems are taken at their word.
    """
    return tuple(_strings(system))


def _strings(system: CodeSystem) -> Iterator[CodeString]:
    forms = short_forms if system.traits.icd_conventions else _no_forms
    for code in system.rows():
        if code.kind < Kind.CATEGORY:
            continue
        if code.description:  # The headers of ICD-9-CM have none.
            yield CodeString(code.description, code.code, "title")
        for short in forms(code.description):
            yield CodeString(short, code.code, "title_form")
        for term in code.synonyms:
            yield CodeString(term, code.code, "inclusion_term")
            for short in forms(term):
                yield CodeString(short, code.code, "inclusion_term_form")
        for term in system.includes(code.code):
            for form in (term, *forms(term)):
                yield CodeString(form, code.code, "includes")


def _no_forms(text: str) -> list[str]:
    return []


def string_key(text: str) -> str:
    """Spell alike what differs in case and white space alone."""
    return " ".join(text.casefold().split())


def short_forms(text: str) -> list[str]:
    """Return the shorter ways of saying a title that the classification's conventions allow.

    `Essential (primary) hypertension` → `Essential hypertension`; `Heart failure, unspecified` and
    `Heart failure NOS` → `Heart failure`; `Human immunodeficiency virus [HIV] disease` → also
    `HIV disease`. Words that carry meaning (`other`, `without`, a side) stay.
    """
    bracketed = "(" in text or "[" in text
    if not bracketed and not _SAYS_UNSPECIFIED.search(text):
        return []
    forms = [_BRACKETED.sub("", text), _with_abbreviation(text)] if bracketed else [text]
    forms += [_without_unspecified(form) for form in forms]
    found: list[str] = []
    for form in forms:
        tidy = " ".join(form.split()).replace(" ,", ",").strip(" ,")
        # "or NOS" leaves half a sentence.
        broken = _BROKEN.search(tidy) and not _BROKEN.search(text)
        if len(tidy) > 2 and not broken and tidy not in (text, *found):
            found.append(tidy)
    return found


def _without_unspecified(text: str) -> str:
    for pattern, put in _UNSPECIFIED:
        text = pattern.sub(put, text)
    return text


def _with_abbreviation(text: str) -> str:
    """Put a bracketed abbreviation in the place of the words whose initials it spells.

    That of a species too: `Sepsis due to Escherichia coli [E. coli]` → `Sepsis due to E. coli`.
    """
    text = _SPECIES.sub(r"\g<short>", text)
    match = _ABBREVIATION.search(text)
    if match is None:
        return text
    words = text[: match.start()].split()
    letters = match["letters"].upper()
    spelt = words[-len(letters) :]
    if [word[0].upper() for word in spelt] != list(letters):
        return text
    return " ".join([*words[: -len(letters)], match["letters"], text[match.end() :].strip()])
