"""Finds repeated ids in a corpus with 8 bytes of memory per id."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from hashlib import blake2b

import numpy as np


class Identifiers:
    """Stores a hash of each id."""

    def __init__(self) -> None:
        self._hashes = array("Q")

    def add(self, identifier: str) -> None:
        """Add an id."""
        self._hashes.append(_hash(identifier))

    def repeated(self, read_again: Callable[[], Iterable[tuple[int, str]]]) -> list[int]:
        """Return the numbers of the rows whose id occurs in an earlier row, in increasing order.

        Args:
            read_again: Function that yields the number and the id of each row again. It is called only
                if hashes are equal.
        """
        hashes = np.sort(np.frombuffer(self._hashes, dtype=np.uint64))
        equal = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        if not equal:
            return []
        seen: set[str] = set()
        rows = []
        for number, identifier in read_again():
            if _hash(identifier) in equal:
                if identifier in seen:
                    rows.append(number)
                seen.add(identifier)
        return rows


def _hash(identifier: str) -> int:
    raw = identifier.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")
