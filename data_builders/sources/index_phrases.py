"""Phrases in the words of a clinician, made from the path of an index entry."""

from __future__ import annotations

import re
from collections.abc import Iterator

from data_builders.noise.spelling import lower_first
from data_builders.sources.index_xml import Title

_JOINING = frozenset(
    "with without due to in of by from following during at on after before as for involving while "
    "caused causing resulting affecting complicating associated and or into against between through off "
    "not".split()
)
_MOST_BEFORE, _MOST_WORDS = 2, 3
_MOST_MODIFIER_WORDS = 2
_MOST_MODIFIED = 4
"""Largest number of phrases with a modifier for one entry."""


def phrases(path: tuple[Title, ...], modified: bool = True) -> Iterator[str]:
    """Yield different phrases for an entry: that of the index, and those of natural word order.

    `Failure, kidney, acute` → also `acute kidney failure`; `Fall, from, ladder` → also `fall from
    ladder`. The modifiers of the last term are inserted one at a time, because they do not change the
    code (Official Guidelines, I.A.7).

    Args:
        path: Terms from the main term to the term itself.
        modified: Whether phrases with modifiers are included.
    """
    seen = set()
    natural = _natural(path)
    more = _modified(path, natural) if modified else ()
    for phrase in (", ".join(title.text for title in path), natural, *more):
        if phrase and phrase.casefold() not in seen:
            seen.add(phrase.casefold())
            yield phrase


def _natural(path: tuple[Title, ...]) -> str:
    """Return the phrase in natural word order, or an empty string if the order is unclear.

    Descriptive terms precede the main term. Terms that begin with a joining word follow it.
    """
    main, *below = (_first_alternative(title.text) for title in path)
    opening = _opening(path[0], main)
    if below and (opening or _joins_within(main) or "," in main):
        # "Scratched by, cat" and "Exposure (to), sunlight" are phrases, but deeper paths are not.
        clear = opening is not None and len(below) == 1 and not _begins_joining(below[0])
        return f"{opening} {below[0]}" if clear else ""
    before: list[str] = []
    after = ""
    for term in below:
        if _begins_joining(term):
            after += f" {term}"
        elif after:  # After "with" or "due to", all further terms belong to it.
            after += f" {term}" if _ends_joining(after) else f", {term}"
        elif len(term.split()) > _MOST_WORDS or len(before) == _MOST_BEFORE or "," in term:
            return ""
        else:
            before.insert(0, term)
    return " ".join([*before, lower_first(main) if before else main]) + after


def _opening(title: Title, main: str) -> str | None:
    """Return a main term that needs an object, with its joining word, or None."""
    if _ends_joining(main):
        return main
    joining = next((word for word in title.modifiers if word in _JOINING), None)
    return f"{main} {joining}" if joining else None


def _begins_joining(term: str) -> bool:
    return term.split(" ", 1)[0].rstrip(",").lower() in _JOINING


def _ends_joining(term: str) -> bool:
    return term.rsplit(" ", 1)[-1].lower() in _JOINING


def _joins_within(term: str) -> bool:
    return not _JOINING.isdisjoint(term.lower().split())


def _modified(path: tuple[Title, ...], natural: str) -> Iterator[str]:
    if not natural:
        return
    modifiers = [m for m in path[-1].modifiers if re.fullmatch(r"[A-Za-z][A-Za-z -]*", m)]
    for modifier in modifiers[:_MOST_MODIFIED]:
        words = modifier.lower().split()
        # A final joining word needs an object, and words of the phrase would be repeated.
        if words[-1] in _JOINING or not set(words).isdisjoint(natural.lower().split()):
            continue
        if len(words) > _MOST_MODIFIER_WORDS and words[0] not in _JOINING:
            continue
        follows = _begins_joining(modifier) or len(path) > 1
        yield f"{natural} {modifier}" if follows else f"{modifier} {lower_first(natural)}"


def alternatives(text: str) -> list[str]:
    """Return a term and the forms that it lists: `Hypertension, hypertensive`, `due to, caused by`."""
    return [text, *(text.split(", ") if _lists_forms(text) else [])]


def _first_alternative(text: str) -> str:
    return text.split(", ", 1)[0] if _lists_forms(text) else text


def _lists_forms(text: str) -> bool:
    """Return whether the commas of a term separate forms of a word or equivalent joining words."""
    head, comma, tail = text.partition(", ")
    if not comma:
        return False
    if _begins_joining(head) and _begins_joining(tail):
        return not tail.startswith(("or ", "and "))
    return head[:4].lower() == tail[:4].lower() and " " not in head
