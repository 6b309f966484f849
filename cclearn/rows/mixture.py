"""Mixing the rows of several sources into one epoch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, TypeVar

Row = TypeVar("Row")

Mixing = Literal["concatenate", "proportional", "fixed_ratio"]
"""Strategy for mixing sources.

- `concatenate`: Every row occurs once.
- `proportional`: The share of a source is proportional to its size to the power 1 / temperature
  (Raffel et al. 2020, arXiv 1910.10683, section 3.5.2).
- `fixed_ratio`: The share of each source is given.
"""


def epoch_shares(
    sizes: Sequence[int], mixing: Mixing, given: Sequence[float | None], temperature: float = 1.0
) -> list[float] | None:
    """Return the share of each source in an epoch, None if every row occurs once.

    Args:
        sizes: Number of rows of each source. All are positive.
        mixing: Strategy for mixing.
        given: Share of each source for `fixed_ratio`. The shares need not sum to 1.
        temperature: Temperature for `proportional`. At 1 the shares are proportional to the sizes;
            higher temperatures make them more equal.
    """
    if mixing == "concatenate":
        return None
    if mixing == "proportional":
        weights = [float(size ** (1 / temperature)) for size in sizes]
    else:
        weights = [float(share or 0) for share in given]
    return [weight / sum(weights) for weight in weights]


def mix(sources: Sequence[Sequence[Row]], shares: Sequence[float] | None, seed: int) -> list[Row]:
    """Return one epoch of rows, shuffled.

    Without shares the sources are concatenated. With shares the epoch is the smallest one that contains
    every row at least once and every source in its share. All rows of a source are repeated equally
    often, except for a remainder that is sampled at random.

    Args:
        sources: Rows of each source. No source is empty.
        shares: Share of each source. The shares are positive and sum to 1.
        seed: Seed of the sampling and the shuffling.
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    if shares is None:
        epoch = [row for rows in sources for row in rows]
    else:
        total = max(len(rows) / share for rows, share in zip(sources, shares, strict=True))
        epoch = []
        for rows, share in zip(sources, shares, strict=True):
            repeats, remainder = divmod(round(total * share), len(rows))
            epoch += list(rows) * repeats + rng.sample(list(rows), remainder)
    rng.shuffle(epoch)
    return epoch
