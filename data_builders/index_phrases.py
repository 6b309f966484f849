"""From the path of an index entry to words that a clinician would write."""

from __future__ import annotations

import re
from collections.abc import Iterator

from data_builders.index_xml import Title

_JOINING = frozenset(
    "with without due to in of by from following during at on after as for involving while caused "
    "resulting affecting complicating associated and or into against between through off not".split()
)
_MOST_BEFORE, _MOST_WORDS = 2, 3
_MOST_MODIFIED = 4
"""How many phrases with a modifier an entry gives at the most."""


def phrases(path: tuple[Title, ...]) -> Iterator[str]:
    """Yield the ways of saying an entry, no two alike: as the index has it, and as one would write it.

    `Failure, kidney, acute` → also `acute kidney failure`; `Fall, from, ladder` → also `fall from
    ladder`. The last term's modifiers are put in, one at a time: they change no code (Official
    Guidelines, I.A.7).
    """
    seen = set()
    natural = _natural(path)
    for phrase in (", ".join(title.text for title in path), natural, *_modified(path, natural)):
        if phrase and phrase.casefold() not in seen:
            seen.add(phrase.casefold())
            yield phrase


def _natural(path: tuple[Title, ...]) -> str:
    """Put describing terms before the main term, and terms that begin with a joining word behind."""
    main, *below = (_first_alternative(title.text) for title in path)
    before: list[str] = []
    after: list[str] = []
    joined = False  # Behind "with" or "due to" every further term belongs to it.
    for term in below:
        first = term.split(" ", 1)[0].lower()
        if first in _JOINING:
            after.append(term)
            joined = True
        elif joined:
            after.append(term)
        elif len(term.split()) > _MOST_WORDS or len(before) == _MOST_BEFORE or "," in term:
            return ""
        else:
            before.insert(0, term)
    if before:
        main = main[0].lower() + main[1:] if main[1:2].islower() else main
    return " ".join([*before, main, *after])


def _modified(path: tuple[Title, ...], natural: str) -> Iterator[str]:
    if not natural:
        return
    modifiers = [m for m in path[-1].modifiers if re.fullmatch(r"[A-Za-z][A-Za-z -]*", m)]
    for modifier in modifiers[:_MOST_MODIFIED]:
        behind = modifier.split(" ", 1)[0].lower() in _JOINING or len(path) > 1
        yield f"{natural} {modifier}" if behind else f"{modifier} {natural}"


def alternatives(text: str) -> list[str]:
    """Return a term and the forms that it lists: `Hypertension, hypertensive`, `due to, caused by`."""
    return [text, *(text.split(", ") if _lists_forms(text) else [])]


def _first_alternative(text: str) -> str:
    return text.split(", ", 1)[0] if _lists_forms(text) else text


def _lists_forms(text: str) -> bool:
    """Say whether a term's commas part forms of one word, or joining words that say the same."""
    head, comma, tail = text.partition(", ")
    if not comma:
        return False
    first, second = head.lower(), tail.lower()
    if first.split(" ", 1)[0] in _JOINING and second.split(" ", 1)[0] in _JOINING:
        return True
    return first[:4] == second[:4] and " " not in first
