"""Names that tables list for codes, found in a note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Named(NamedTuple):
    """A name in a note.

    Attributes:
        start: Offset of the first code point.
        end: Offset after the last code point.
        code: Code of the name.
    """

    start: int
    end: int
    code: str


class Names:
    """Finds names in parts of a note. Of two names that begin at one place, the longer one is found.

    Args:
        rows: Each code with its names, in lower case, separated by semicolons. A name is also found
            with a final "s".
    """

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self._codes = {name: code for code, names in rows for name in names.split("; ")}
        longest_first = sorted(self._codes, key=lambda name: (-len(name), name))
        self._pattern = re.compile(rf"\b({'|'.join(map(re.escape, longest_first))})s?\b")

    def find(self, lowered: str, start: int, end: int) -> Iterator[Named]:
        """Yield the names between two offsets of a text in lower case."""
        for match in self._pattern.finditer(lowered, start, end):
            yield Named(*match.span(), self._codes[match[1]])
