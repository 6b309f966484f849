"""Splits by the hash of an identifier, which are the same in every run and process."""

from __future__ import annotations

import hashlib


def in_share(identifier: str, share: float, seed: int = 0) -> bool:
    """Return whether an identifier falls into a share of all identifiers.

    Args:
        identifier: Identifier of an item, e.g. of a note. All rows of an item are in the same part.
        share: Share between 0 and 1. A larger share contains all identifiers of a smaller one.
        seed: Seed of the split.
    """
    return hash_fraction(identifier, seed) < share


def hash_fraction(identifier: str, seed: int = 0) -> float:
    """Return the hash of an identifier as a number from 0 to 1, uniformly distributed."""
    digest = hashlib.sha256(f"{seed}\x1f{identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
