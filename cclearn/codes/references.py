"""Finding the codes that a note of the tabular list names, e.g. `Excludes1: diabetes (E10-E13)`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_CODE = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_NAMED = re.compile(rf"(?<![\w.])(?P<first>{_CODE})(?:\.?-(?P<last>{_CODE})?)?(?![\w])\.?-?")
_CONDITION = re.compile(
    r"(?P<indices>(?:fifth|sixth|seventh|[5-7]th)(?: or (?:sixth|[67]th))?)[ -]characters?"
    r" (?P<values>[0-9A-Z](?:-[0-9])?(?: or [0-9A-Z])*)$"
)
_FINAL = re.compile(r"final characters? [-.](?P<end>\w+)(?: or [-.](?P<other>\w+))?$")
_INDICES = {"fifth": 4, "5th": 4, "sixth": 5, "6th": 5, "seventh": 6, "7th": 6}
"""Index of the character in a code without its dot."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a code with all codes below it, or to a range of codes.

    Attributes:
        first: First code, without its dot, a final dash or a placeholder.
        last: Last code, equal to `first` unless the reference is a range.
        pattern: Pattern that a code without its dot must also match, None if there is none.
    """

    first: str
    last: str
    pattern: re.Pattern[str] | None = None

    def covers(self, code: str) -> bool:
        """Return whether the reference includes a code, given in the official form."""
        bare = code.replace(".", "")
        if len(bare) < max(len(self.first), len(self.last)):
            return False
        if not (self.first <= bare[: len(self.first)] and bare[: len(self.last)] <= self.last):
            return False
        return self.pattern is None or self.pattern.search(bare) is not None


class CodeIndex:
    """Sorted codes, among which the codes of a reference are found by bisection.

    Args:
        codes: Codes in the official form.
    """

    def __init__(self, codes: Iterable[str]) -> None:
        ordered = sorted((code.replace(".", ""), code) for code in set(codes))
        self._bare = [bare for bare, _ in ordered]
        self._codes = [code for _, code in ordered]

    def covered_by(self, reference: Reference) -> Iterator[str]:
        """Yield the codes that a reference includes, in order."""
        index = bisect_left(self._bare, reference.first)
        width, last = len(reference.last), reference.last
        while index < len(self._bare) and self._bare[index][:width] <= last:
            if reference.covers(self._codes[index]):
                yield self._codes[index]
            index += 1


def references(note: str) -> Iterator[Reference]:
    """Yield the references to codes in a note, in order.

    A condition such as `with fifth or sixth character 1-4` applies to all codes in its parentheses.
    Codes with a condition in free words (`with open fracture 7th character`) are left out, because the
    codes that meet it are not known.
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
    """Return the pattern of a condition for codes without their dots, None if there is no condition."""
    if final := _FINAL.match(words):
        ends = [end for end in (final["end"], final["other"]) if end]
        return re.compile(f"(?:{'|'.join(ends)})$")
    match = _CONDITION.match(words)
    if match is None:
        return None
    indices = [_INDICES[word] for word in match["indices"].split(" or ")]
    # "1-4 or 6" is a character class once its words are removed.
    values = match["values"].replace(" or ", "")
    return re.compile("|".join(f"^.{{{index}}}[{values}]" for index in indices))
