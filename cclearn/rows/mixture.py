"""How rows of several sources become one epoch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

Row = TypeVar("Row")


def mix(sources: Sequence[Sequence[Row]], shares: Sequence[float | None], seed: int) -> list[Row]:
    """Return one epoch of rows, shuffled.

    Without shares the sources are concatenated. With shares the epoch is the smallest that holds
    every row at least once and each source in its share of the rows: the rows of a source that must
    be repeated stand equally often, but for a remainder drawn at random.

    Args:
        sources: The rows of each source; none is empty.
        shares: The share of rows of each source, all None or all given and positive.
        seed: For the remainder and the order.
    """
    order = random.Random(seed)  # noqa: S311 - reproducible, not secret
    if any(share is None for share in shares):
        epoch = [row for rows in sources for row in rows]
    else:
        weights = [float(share or 0) for share in shares]
        parts = [weight / sum(weights) for weight in weights]
        total = max(len(rows) / part for rows, part in zip(sources, parts, strict=True))
        epoch = []
        for rows, part in zip(sources, parts, strict=True):
            whole, rest = divmod(round(total * part), len(rows))
            epoch += list(rows) * whole + order.sample(list(rows), rest)
    order.shuffle(epoch)
    return epoch
