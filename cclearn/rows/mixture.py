"""Mixing the rows of several sources into one epoch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, TypeVar

Row = TypeVar("Row")

Mixing = Literal["concatenate", "proportional", "fixed_ratio"]
"""Strategy for mixing sources.

- `concatenate`: Every row occurs once, or as often as its source says.
- `proportional`: The share of a source is proportional to its number of tokens to the power
  1 / temperature (after Raffel et al. 2020, arXiv 1910.10683, section 3.5.2).
- `fixed_ratio`: The share of each source in the tokens is given.
"""

MOST_REPEATS = 4.0
"""Default of the largest number of times that a row occurs in an epoch for the sake of the shares. More
than four repetitions teach a language model little (Muennighoff et al. 2023, arXiv 2305.16264)."""


def epoch_shares(
    sizes: Sequence[int], mixing: Mixing, given: Sequence[float | None], temperature: float = 1.0
) -> list[float] | None:
    """Return the share of each source in the tokens of an epoch, None for `concatenate`.

    Args:
        sizes: Number of tokens of each source. All are positive.
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


def source_repeats(
    sizes: Sequence[int], shares: Sequence[float] | None, given: Sequence[float | None]
) -> list[float]:
    """Return how often the rows of each source occur in an epoch.

    With shares, the epoch is the smallest one that contains every row at least once and every source in
    its share. A source whose rows would occur more often than allowed has a smaller share.

    Args:
        sizes: Number of tokens of each source. All are positive.
        shares: Share of each source in the tokens; None without shares.
        given: Without shares, how often the rows of each source occur, and None is once. With shares,
            how often they occur at most, and None is `MOST_REPEATS`.
    """
    if shares is None:
        return [1.0 if repeats is None else repeats for repeats in given]
    epoch = max(size / share for size, share in zip(sizes, shares, strict=True))
    return [
        min(epoch * share / size, MOST_REPEATS if most is None else most)
        for size, share, most in zip(sizes, shares, given, strict=True)
    ]


def mix(sources: Sequence[Sequence[Row]], repeats: Sequence[float], seed: int) -> list[Row]:
    """Return one epoch of rows, shuffled.

    All rows of a source are repeated equally often, except for a remainder that is sampled at random.

    Args:
        sources: Rows of each source. No source is empty.
        repeats: How often the rows of each source occur.
        seed: Seed of the sampling and the shuffling.
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    epoch: list[Row] = []
    for rows, times in zip(sources, repeats, strict=True):
        whole, remainder = divmod(round(len(rows) * times), len(rows))
        epoch += list(rows) * whole + rng.sample(list(rows), remainder)
    rng.shuffle(epoch)
    return epoch
