"""The nearest neighbours of a code about which something is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cclearn.codes import CodeSystem


class KnownNeighbours:
    """Finds the nearest neighbours of codes among the codes that are known.

    Args:
        system: Code system of the codes.
        known: Known codes, all of which are billable.
    """

    def __init__(self, system: CodeSystem, known: Iterable[str]) -> None:
        self._system = system
        self._known = frozenset(known)
        self._below: dict[str, list[str]] = defaultdict(list)
        for code in sorted(self._known):
            for above in system.ancestors(code):
                self._below[above].append(code)

    def nearest(self, code: str) -> list[str]:
        """Return the known siblings of a code, or without any, its known cousins.

        Args:
            code: Code in the official form.

        Raises:
            UnknownCodeError: The release does not contain the code.
        """
        if self._system.parent(code) is None:  # The table of a user may have no hierarchy.
            return []
        siblings = [near for near in self._system.neighbours(code) if near in self._known]
        if siblings:
            return siblings
        return [near for near in self._system.neighbours(code, "cousin") if near in self._known]

    def in_block(self, code: str) -> list[str]:
        """Return the known codes below the lowest header or block above a code that has any others.

        Args:
            code: Code in the official form.

        Raises:
            UnknownCodeError: The release does not contain the code.
        """
        for above in self._system.ancestors(code)[:-1]:
            others = [known for known in self._below.get(above, ()) if known != code]
            if others:
                return others
        return []
