"""Ids that stand twice in a corpus, found in 8 bytes an id."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from hashlib import blake2b

import numpy as np


class Identifiers:
    """Remembers a hash of each id."""

    def __init__(self) -> None:
        self._hashes = array("Q")

    def add(self, identifier: str) -> None:
        """Remember an id."""
        self._hashes.append(_hash(identifier))

    def repeated(self, again: Callable[[], Iterable[tuple[int, str]]]) -> list[int]:
        """Return the numbers of the rows whose id an earlier row has, rising.

        Args:
            again: Goes over the rows' numbers and ids anew; only needed where hashes are alike.
        """
        hashes = np.sort(np.frombuffer(self._hashes, dtype=np.uint64))
        alike = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        if not alike:
            return []
        seen: set[str] = set()
        rows = []
        for number, identifier in again():
            if _hash(identifier) in alike:
                if identifier in seen:
                    rows.append(number)
                seen.add(identifier)
        return rows


def _hash(identifier: str) -> int:
    raw = identifier.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")
