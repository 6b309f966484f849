"""The number of synthetic notes for each code."""

from __future__ import annotations

import math
from collections.abc import Mapping


def log_inverse_allocation(count: int, most: int = 50, alpha: float = 0.5) -> int:
    """Return the number of synthetic notes for a code, `floor(min(α·M / ln(n + 5), M))`.

    This is the log-inverse allocation of arXiv 2511.14112: the fewer training notes a code has, the more
    synthetic notes it gets. A code without training notes gets M.

    Args:
        count: Number n of training notes with the code.
        most: Maximum number M of synthetic notes.
        alpha: Factor α.
    """
    if not count:
        return most
    return math.floor(min(alpha * most / math.log(count + 5), most))


def allocate(
    counts: Mapping[str, int], below: int = 100, most: int = 50, alpha: float = 0.5
) -> dict[str, int]:
    """Return the number of synthetic notes for each code that gets any, in the order of the counts.

    Args:
        counts: Number of training notes with each code of the label space, 0 included.
        below: Number of training notes from which a code gets no synthetic notes.
        most: Maximum number of synthetic notes for a code.
        alpha: Factor of `log_inverse_allocation`.
    """
    allocated = {
        code: log_inverse_allocation(count, most, alpha)
        for code, count in counts.items()
        if count < below
    }
    return {code: notes for code, notes in allocated.items() if notes}
