"""Codes of one condition at several sites: `lacerations of the left hand and right forearm`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from cclearn.coding.lexicon.replacements import PhraseMatch, Replacement, replaced
from cclearn.notes.spans import Span
from cclearn.runtime.folding import lower_case

_Read = Callable[[str], list[PhraseMatch]]
"""A function that returns the phrases of a text."""

_CONDITIONS = (
    r"burns?|lacerations?|lac|abrasions?|contusions?|bruis(?:es?|ing)|hematomas?"
    r"|(?:puncture|open) wounds?|sprains?|strains?|fractures?|fx|dislocations?|frostbite"
    r"|(?:insect|dog|cat) bites?|pain|swelling|stiffness|osteoarthritis|oa|djd|arthritis"
    r"|cellulitis|abscess(?:es)?|arthralgias?|dvts?|deep (?:vein|venous) thrombos[ie]s"
)
_MODIFIERS = (
    r"(?:first|second|third|1st|2nd|3rd|partial|full)[ -](?:degree|thickness)|superficial|deep|multiple"
    r"|open|closed|displaced|nondisplaced|comminuted|acute|chronic|primary|severe|moderate|mild|diffuse"
)
_SITES = (
    r"hands?|(?:index |middle |ring |little )?fingers?|thumbs?|wrists?|forearms?|elbows?"
    r"|(?:upper )?arms?|shoulders?|hips?|thighs?|knees?|(?:lower )?legs?|ankles?|feet|foot"
    r"|(?:great )?toes?|heels?|face|cheeks?|forehead|scalp|nose|lips?|ears?|eyelids?|chin|neck"
    r"|chest(?: wall)?|abdomen|abdominal wall|(?:lower |upper )?back|buttocks?|flanks?|groin|head"
    r"|radius|ulna|tibia|fibula|humerus|femur|clavicle|scapula|liver|spleen|kidneys?"
    r"|(?:femoral|popliteal|peroneal|tibial|iliac)(?: veins?)?"
)
_SIDES = r"right|left|bilateral|both|rt|lt|r|l"
_OTHER_WORDS = (
    r"the|his|her|their|upper|lower|distal|proximal|common|medial|lateral|anterior|posterior|dorsal"
)
_BETWEEN = r" ?(?:, ?(?:and |or )?|/|& ?)|\s+(?:and|or|as well as)\s+"
_MOST_SITES = 8
"""Maximum number of sites of a list. It limits the time for a long text."""

_LONGEST = 150
"""Maximum number of characters of a list of sites before its condition."""

_BEFORE = 40
"""Maximum number of characters before a condition or its sites in which their other words are."""


class _Sites(NamedTuple):
    """Sites of a condition in a text.

    Attributes:
        condition: Offsets of the condition, with its modifiers.
        sites: Offsets of the sites, with their sides, in order.
    """

    condition: Span
    sites: list[Span]


def with_site_lists(text: str, matches: Sequence[PhraseMatch], read: _Read) -> list[PhraseMatch]:
    """Return the phrases of a note, in which each site of a list has a code.

    The condition is read with each site alone. A side before the first site is that of later ones
    without a side: `left radius and ulna fractures`. A list is left as it is if a phrase contains more
    than the list, or if one of its sites has no code.

    Args:
        text: Text of the note.
        matches: Phrases of the note.
        read: Function that returns the phrases of a text.
    """
    return replaced(matches, _replacements(text, cache(read)))


def _replacements(text: str, read: _Read) -> Iterator[Replacement]:
    for condition, sites in _find_lists(text):
        codes = _codes(text, condition, sites, read)
        if not all(codes):
            continue
        new: list[PhraseMatch] = []
        is_first = condition[0] < sites[0][0]
        nearest = 0 if is_first else len(sites) - 1
        for number, (site, of_site) in enumerate(zip(sites, codes, strict=True)):
            first, last = site
            if number == nearest:
                first, last = min(first, condition[0]), max(last, condition[1])
            new += [(first, last, code) for code in of_site]
        start, end = min(condition[0], sites[0][0]), max(condition[1], sites[-1][1])
        yield Replacement(start, end, new)


def _codes(text: str, condition: Span, sites: Sequence[Span], read: _Read) -> list[list[str]]:
    """Return the codes of the condition at each site."""
    name = text[slice(*condition)]
    without_site = {code for _, _, code in read(name)}
    inherited = _side().match(text, *sites[0])
    codes = []
    for site in sites:
        written = text[slice(*site)]
        if inherited is not None and _side().match(written) is None:
            written = f"{inherited['side']} {written}"
        alone = f"{name} of {written}"
        readings = read(alone)
        # The site is part of the phrase, or makes its code more specific.
        is_of_site = all(
            first < len(name) and (last == len(alone) or code not in without_site)
            for first, last, code in readings
        )
        codes.append([code for _, _, code in readings] if is_of_site else [])
    return codes


def _find_lists(text: str) -> Iterator[_Sites]:
    """Yield the lists of two or more sites with one condition before or after them."""
    lowered = lower_case(text).replace("\n", " ")
    for condition in _condition().finditer(lowered):
        start, end = condition.span()
        after = _sites_after().match(lowered, end)
        if after is not None:
            modifiers = _modifiers().search(lowered, max(0, start - _BEFORE), start)
            first = start if modifiers is None else modifiers.start()
            yield _Sites((first, end), _sites_in(lowered, *after.span("sites")))
            continue
        before = _sites_before().search(lowered, max(0, start - _LONGEST), start)
        if before is None:
            continue
        first = before.start()
        if _claimed().search(lowered, max(0, first - _BEFORE), first) is None:
            yield _Sites((start, end), _sites_in(lowered, *before.span("sites")))


def _sites_in(lowered: str, start: int, end: int) -> list[Span]:
    return [found.span() for found in _site().finditer(lowered, start, end)]


@cache
def _condition() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{_CONDITIONS})\b")


@cache
def _modifiers() -> re.Pattern[str]:
    return re.compile(rf"\b(?:(?:{_MODIFIERS}) ){{1,3}}\Z")


@cache
def _sites_after() -> re.Pattern[str]:
    return re.compile(
        rf"(?: ?(?:of|to|on|over|in|at|involving|:) ?| )(?P<sites>{_several()})(?! (?:{_CONDITIONS})\b)"
    )


@cache
def _sites_before() -> re.Pattern[str]:
    return re.compile(rf"(?P<sites>{_several()}) (?:(?:{_MODIFIERS}) ){{0,3}}\Z")


@cache
def _several() -> str:
    site = f"(?:{_site().pattern})"
    return rf"{site}(?:(?:{_BETWEEN}){site}){{1,{_MOST_SITES - 1}}}"


@cache
def _site() -> re.Pattern[str]:
    return re.compile(rf"\b(?:(?:{_OTHER_WORDS}|{_SIDES})\.? ){{0,3}}(?:{_SITES})\b")


@cache
def _side() -> re.Pattern[str]:
    return re.compile(rf"(?i)(?:(?:{_OTHER_WORDS}) )*(?P<side>{_SIDES})\b")


@cache
def _claimed() -> re.Pattern[str]:
    """Return a pattern of a condition whose sites follow: `pain in the` of `pain in the hip`."""
    return re.compile(rf"\b(?:{_CONDITIONS})(?: (?:of|to|on|over|in|at|involving))? (?:the )?\Z")
