"""How rows of several sources become one epoch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, TypeVar

Row = TypeVar("Row")

Mixing = Literal["concatenate", "proportional", "fixed_ratio"]
"""`concatenate`: every row once · `proportional`: each source in the share of its size to the
power 1 / temperature (Raffel et al. 2020, arXiv 1910.10683, section 3.5.2) · `fixed_ratio`: in a given
share."""


def epoch_shares(
    sizes: Sequence[int], mixing: Mixing, given: Sequence[float | None], temperature: float = 1.0
) -> list[float] | None:
    """Return the share of rows that each source has in an epoch, None where every row stands once.

    Args:
        sizes: The rows of each source; none is 0.
        mixing: The strategy.
        given: The share of each source, for `fixed_ratio`; they need not sum to 1.
        temperature: For `proportional`: at 1 sizes decide, the higher the more alike are the shares.
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

    Without shares the sources are concatenated. With shares the epoch is the smallest that holds
    every row at least once and each source in its share of the rows: the rows of a source that must
    be repeated stand equally often, but for a remainder drawn at random.

    Args:
        sources: The rows of each source; none is empty.
        shares: The share of rows of each source, positive, 1 in all.
        seed: For the remainder and the order.
    """
    order = random.Random(seed)  # noqa: S311 - reproducible, not secret
    if shares is None:
        epoch = [row for rows in sources for row in rows]
    else:
        total = max(len(rows) / share for rows, share in zip(sources, shares, strict=True))
        epoch = []
        for rows, share in zip(sources, shares, strict=True):
            whole, rest = divmod(round(total * share), len(rows))
            epoch += list(rows) * whole + order.sample(list(rows), rest)
    order.shuffle(epoch)
    return epoch
