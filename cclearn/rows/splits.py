"""Splits by the hash of an id: fixed before anything is mixed, the same in every run and process."""

from __future__ import annotations

import hashlib


def in_share(identifier: str, share: float, seed: int = 0) -> bool:
    """Say whether an id falls into a share of all ids.

    Args:
        identifier: A document's id, a code, or a string; split by what must not be on both sides.
        share: Between 0 and 1. A larger share holds all ids of a smaller one.
        seed: Another seed, another split.
    """
    return hash_fraction(identifier, seed) < share


def hash_fraction(identifier: str, seed: int = 0) -> float:
    """Return where between 0 and 1 the hash of an id lies, evenly spread over ids."""
    digest = hashlib.sha256(f"{seed}\x1f{identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
