"""The codes that a note of the tabular list names: `Excludes1: diabetes (E10-E13)`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_CODE = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_NAMED = re.compile(rf"(?<![\w.])(?P<first>{_CODE})(?:\.?-(?P<last>{_CODE})?)?(?![\w])\.?-?")
_CONDITION = re.compile(
    r"(?P<places>(?:fifth|sixth|seventh|[5-7]th)(?: or (?:sixth|[67]th))?)[ -]characters?"
    r" (?P<values>[0-9A-Z](?:-[0-9])?(?: or [0-9A-Z])*)$"
)
_FINAL = re.compile(r"final characters? [-.](?P<end>\w+)(?: or [-.](?P<other>\w+))?$")
_PLACES = {"fifth": 4, "5th": 4, "sixth": 5, "6th": 5, "seventh": 6, "7th": 6}
"""Where the character stands in a code without its dot, counted from 0."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Codes that are named together: a code and all below it, or a range.

    Attributes:
        first: The first code, without its dot, a final dash or a placeholder.
        last: The last one; the same as `first` where it is no range.
        pattern: What the code must match besides, without its dot.
    """

    first: str
    last: str
    pattern: re.Pattern[str] | None = None

    def covers(self, code: str) -> bool:
        """Say whether a code, in the official form, is one of them."""
        bare = code.replace(".", "")
        if len(bare) < max(len(self.first), len(self.last)):
            return False
        if not (self.first <= bare[: len(self.first)] and bare[: len(self.last)] <= self.last):
            return False
        return self.pattern is None or self.pattern.search(bare) is not None


class CodeIndex:
    """Codes in order, among which those that a reference covers are found by bisection.

    Args:
        codes: In the official form.
    """

    def __init__(self, codes: Iterable[str]) -> None:
        ordered = sorted((code.replace(".", ""), code) for code in set(codes))
        self._bare = [bare for bare, _ in ordered]
        self._codes = [code for _, code in ordered]

    def covered_by(self, reference: Reference) -> Iterator[str]:
        """Yield the codes that a reference covers, in order."""
        place = bisect_left(self._bare, reference.first)
        width, last = len(reference.last), reference.last
        while place < len(self._bare) and self._bare[place][:width] <= last:
            if reference.covers(self._codes[place]):
                yield self._codes[place]
            place += 1


def references(note: str) -> Iterator[Reference]:
    """Yield the codes that a note names, in its order.

    A condition such as `with fifth or sixth character 1-4`, which ICD-10-CM writes for poisonings and
    the like, holds for all codes of its parenthesis. Codes under a condition in free words
    (`with open fracture 7th character`) are left out: which they are cannot be told.
    """
    for part in re.findall(r"\(([^()]*)\)", note):
        head, with_, condition = part.partition("with ")
        pattern = _condition(condition.strip())
        if with_ and "character" in condition and pattern is None:
            continue
        for match in _NAMED.finditer(head):
            first = match["first"].replace(".", "")
            last = (match["last"] or match["first"]).replace(".", "")
            yield Reference(first, last, pattern)


def _condition(words: str) -> re.Pattern[str] | None:
    """Return what a code without its dot must match, None where the words say no such thing."""
    if final := _FINAL.match(words):
        ends = [end for end in (final["end"], final["other"]) if end]
        return re.compile(f"(?:{'|'.join(ends)})$")
    match = _CONDITION.match(words)
    if match is None:
        return None
    places = [_PLACES[word] for word in match["places"].split(" or ")]
    # "1-4 or 6" is a class of characters already, but for its words.
    values = match["values"].replace(" or ", "")
    return re.compile("|".join(f"^.{{{place}}}[{values}]" for place in places))
