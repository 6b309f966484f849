"""Selection of the code of a string that several codes claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cclearn.codes.strings import string_key

Winners = tuple[int, tuple[str, ...]]
"""The rank of the strongest claims to a string, and the sorted codes with these claims."""


class StringClaims:
    """The strongest claims of codes to each string. A lower rank is a stronger claim.

    Args:
        key: Function that normalises strings. Strings with equal keys are the same string.
    """

    def __init__(self, key: Callable[[str], str] = string_key) -> None:
        self._key = key
        self._winners: dict[str, Winners] = {}
        self._shared: dict[Winners, Winners] = {}

    def add(self, text: str, code: str, rank: int) -> None:
        """Add the claim of a code to a string."""
        key = self._key(text)
        best = self._winners.get(key)
        if best is None or rank < best[0]:
            best = (rank, (code,))
        elif rank == best[0] and code not in best[1]:
            best = (rank, tuple(sorted((*best[1], code))))
        else:
            return
        # Most strings of a code have equal winners, which share one object to save memory.
        self._winners[key] = self._shared.setdefault(best, best)

    def __contains__(self, key: str) -> bool:
        """Return whether any code claims the string with a key."""
        return key in self._winners

    def winners(self, text: str) -> Winners | None:
        """Return the strongest claims to a string, None if no code claims it."""
        return self._winners.get(self._key(text))

    def __iter__(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the key of each string with the codes of its strongest claims."""
        return ((key, codes) for key, (_, codes) in self._winners.items())
