"""Codes of metastases by the sites that a note lists: `metastases to bone, liver and brain`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from cclearn.codes.clinical_terms.tables import METASTASES, read_table
from cclearn.notes.spans import Span
from cclearn.runtime.folding import lower_case

_SIDES = {"right": "1", "left": "2"}
_SIGNS = ("metasta", "mets")
"""One of them is in every text with metastases."""

_DESCRIBED = (
    r"(?:(?:the|his|her|their|both|multiple|several|diffuse|extensive|widespread|innumerable|new|known"
    r"|right|left|bilateral|distant|regional) ){0,4}"
)
_BETWEEN = r"(?: ?(?:,|/|&) ?(?:and |or )?| and | or )"
_MAX_SITES = 10
"""Maximum number of sites in a list. It limits the time for a long text."""

_DISEASE_NEEDED = (
    r"(?: (?:disease|lesions?|deposits?|spread|foci|involvement|nodules?|mass(?:es)?)\b)"
)
_DISEASE = rf"{_DISEASE_NEEDED}?"
_ORIGIN = r"(?! (?:cancer|carcinoma|adenocarcinoma|primary|origin|melanoma|sarcoma|tumou?r)\b)"


_SECONDARY = ("C77", "C78", "C79")
_SECONDARY_OF_LUNG, _LUNG_CANCER = "C78.00", "C34.90"
_PRIMARY = re.compile(
    r"(?i)metastatic (?:[\w-]+ ){0,3}(?:(?:lung|pulmonary) )?(?:cancer|(?:adeno)?carcinoma)\b"
)
"""Matches the name of cancer that has spread from the lung. That of other organs is in the phrases."""


class Metastasis(NamedTuple):
    """A site of metastases in a text.

    Attributes:
        start: Offset of the words "metastases to" before the first site, otherwise that of the site.
        end: Offset after the site, or after the word "metastases" behind the last one.
        code: Code of the secondary neoplasm.
        site: Offsets of the words of the site.
    """

    start: int
    end: int
    code: str
    site: Span


def find_metastases(text: str) -> Iterator[Metastasis]:
    """Yield the sites of metastases: those after "metastatic to", and those before "metastases".

    Args:
        text: Text of a note.
    """
    lowered = lower_case(text)
    if not any(sign in lowered for sign in _SIGNS):
        return
    for match in _lists().finditer(lowered.replace("\n", " ")):
        sites = list(_site().finditer(match.string, *match.span(match.lastgroup or 0)))
        for number, site in enumerate(sites):
            start = match.start() if number == 0 else site.start()
            end = match.end() if number == len(sites) - 1 else site.end()
            yield Metastasis(start, end, _code(site), site.span("name"))


def with_metastases(
    text: str, matches: Sequence[tuple[int, int, str]], found: Sequence[Metastasis]
) -> list[tuple[int, int, str]]:
    """Return the phrases of a note with those of metastases, in order.

    Args:
        text: Text of the note.
        matches: Offsets and code of each phrase.
        found: Sites of metastases.
    """
    named = [
        (start, end, _LUNG_CANCER)
        if code == _SECONDARY_OF_LUNG and _PRIMARY.match(text, start) is not None
        else (start, end, code)
        for start, end, code in matches
    ]
    kept = [
        match
        for match in named
        if not match[2].startswith(_SECONDARY)
        or not any(_overlap(match, (start, end)) for start, end, _, _ in found)
    ]
    for start, end, code, site in found:
        if any(_overlap(match, site) for match in kept):
            continue
        is_free = not any(_overlap(match, (start, end)) for match in kept)
        kept.append((start, end, code) if is_free else (*site, code))
    return sorted(kept)


def _overlap(match: tuple[int, int, str], span: Span) -> bool:
    return match[0] < span[1] and span[0] < match[1]


def _code(site: re.Match[str]) -> str:
    sides = {side for side in _SIDES if re.search(rf"\b{side}\b", site[0])}
    digit = _SIDES[sides.pop()] if len(sides) == 1 else "0"
    return _codes()[site["name"]].replace("?", digit)


@cache
def _codes() -> dict[str, str]:
    """Return the code of each name of a site, in singular and plural."""
    return {
        form: code
        for code, names in read_table(METASTASES)
        for name in names.split("; ")
        for form in (name, f"{name}s")
    }


@cache
def _names() -> str:
    return "|".join(map(re.escape, sorted(_codes(), key=len, reverse=True)))


@cache
def _site() -> re.Pattern[str]:
    return re.compile(rf"\b{_DESCRIBED}(?P<name>{_names()})\b")


@cache
def _lists() -> re.Pattern[str]:
    site = rf"{_DESCRIBED}(?:{_names()})\b(?: \([^()\n]{{0,40}}\))?"
    several = rf"{site}(?:{_BETWEEN}{site}){{0,{_MAX_SITES - 1}}}"
    cancer = r"(?: [\w+/-]+){0,5} (?:cancer|carcinoma|adenocarcinoma|melanoma|sarcoma)"
    spread = r"(?:metasta(?:s[ie]s|tic|si[sz]ed|si[sz]ing)|mets)"
    to = r" (?:to|in|into|involving|of|within|at) "
    return re.compile(
        rf"\b(?:metastatic{cancer} (?:to |involving |\()|{spread}{_DISEASE}(?:{to}|: ?))"
        rf"(?P<after>{several}){_ORIGIN}"
        rf"|\bmetastatic (?P<between>{site}){_DISEASE_NEEDED}"
        rf"|\b(?P<before>{several}) (?:metasta(?:s[ie]s)|mets)\b"
    )
