"""The strings that a code system gives for its codes, with the fields that they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.table import Kind

Field = Literal["title", "title_form", "inclusion_term_form", "inclusion_term", "includes"]

PRECEDENCE: tuple[Field, ...] = (
    "title",
    "title_form",
    "inclusion_term_form",
    "inclusion_term",
    "includes",
)
"""Precedence of the fields if several codes claim one string. A tie is ambiguous.

The forms are shortened titles or terms. They come before the terms: `Pyelonephritis NOS` of N12 means
that the word alone is coded as N12, whereas `Pyelonephritis` of N16 is only a part of what N16
describes.
"""

# Parentheses contain nonessential modifiers, brackets synonyms and abbreviations; NOS is "unspecified"
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
"""Nouns that may be left out together with "unspecified": `Pneumonia, unspecified organism`."""

_UNSPECIFIED = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r",? NOS(?=,|$)", ""),
        (r"^unspecified (?!and |or )", ""),
        (rf", unspecified(?: (?:{_IMPLIED}|eye|ear|extremity))?(?=,|$)", ""),
        (rf",? (?:{_IMPLIED}) unspecified(?=,|$)", ""),
        (rf"(?: due)? (?:{_PREPOSITIONS}) unspecified (?:{_IMPLIED})(?=,| |$)", ""),
        (rf"(?P<head>,| (?:{_PREPOSITIONS})) unspecified (?!and |or )(?=\w)", r"\g<head> "),
    )
)
"""Patterns of words that the classification adds if nothing more is known, with their replacements.
Parts of the body stay: `Pain in unspecified hip` is a pain in the hip."""

_MENTIONS_UNSPECIFIED = re.compile(r"[Uu]nspecified|\bNOS\b")
_BROKEN = re.compile(rf"\b(?:{_PREPOSITIONS}|and|or|the|due)(?:,|$)")


@dataclass(frozen=True, slots=True)
class CodeString:
    """A string that stands for a code.

    Attributes:
        text: The string.
        code: Code in the official form.
        field: Field that the string comes from.
    """

    text: str
    code: str
    field: Field


@lru_cache(maxsize=4)
def code_strings(system: CodeHierarchy) -> tuple[CodeString, ...]:
    """Return every string of every category and subcategory, in tabular order.

    Shorter forms are added only for systems that follow the conventions of the ICD.
    """
    return tuple(_strings(system))


def _strings(system: CodeHierarchy) -> Iterator[CodeString]:
    forms = short_forms if system.traits.icd_conventions else _no_forms
    for code in system.rows():
        if code.kind < Kind.CATEGORY:
            continue
        if code.description:  # The headers of ICD-9-CM have no title.
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
    """Return a key that is equal for strings that differ only in case and white space."""
    return " ".join(text.casefold().split())


def short_forms(text: str) -> list[str]:
    """Return the shorter forms of a title that the conventions of the ICD allow.

    `Essential (primary) hypertension` → `Essential hypertension`; `Heart failure, unspecified` and
    `Heart failure NOS` → `Heart failure`; `Human immunodeficiency virus [HIV] disease` → also
    `HIV disease`. Words that carry meaning (`other`, `without`, a side) are kept.
    """
    bracketed = "(" in text or "[" in text
    if not bracketed and not _MENTIONS_UNSPECIFIED.search(text):
        return []
    forms = [_BRACKETED.sub("", text), _with_abbreviation(text)] if bracketed else [text]
    forms += [_without_unspecified(form) for form in forms]
    found: list[str] = []
    for form in forms:
        tidy = " ".join(form.split()).replace(" ,", ",").strip(" ,")
        # Removing "or NOS" would leave an incomplete phrase.
        broken = _BROKEN.search(tidy) and not _BROKEN.search(text)
        if len(tidy) > 2 and not broken and tidy not in (text, *found):
            found.append(tidy)
    return found


def _without_unspecified(text: str) -> str:
    for pattern, replacement in _UNSPECIFIED:
        text = pattern.sub(replacement, text)
    return text


def _with_abbreviation(text: str) -> str:
    """Replace the words that a bracketed abbreviation stands for by the abbreviation.

    Abbreviated species are replaced too: `Sepsis due to Escherichia coli [E. coli]` becomes `Sepsis
    due to E. coli`.
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
