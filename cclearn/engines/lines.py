"""Lines of an answer that are repeated too often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class LineCounter:
    """Counts the lines of an answer while it is generated.

    Args:
        limit: Function that returns how often a line may be in the answer.

    Attributes:
        kept: Number of bytes of the answer before the first line that is repeated too often, without the
            line break before it. None if there is no such line yet.
    """

    def __init__(self, limit: Callable[[str], int]) -> None:
        self.kept: int | None = None
        self._limit = limit
        self._counts: Counter[bytes] = Counter()
        self._line = b""
        self._start = 0

    def add(self, spelt: bytes) -> None:
        """Add the bytes of the next token."""
        *lines, self._line = (self._line + spelt).split(b"\n")
        for line in lines:
            self._count(line)

    def close(self) -> None:
        """Count the last line of an answer that is complete."""
        self._count(self._line)

    def _count(self, line: bytes) -> None:
        if self.kept is not None:
            return
        self._counts[line] += 1
        if self._counts[line] > self._limit(line.decode("utf-8", errors="replace")):
            self.kept = max(0, self._start - 1)
        self._start += len(line) + 1
