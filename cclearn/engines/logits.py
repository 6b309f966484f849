"""Which logits come of damaged weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def broken_rows(logits: torch.Tensor) -> torch.Tensor:
    """Return which rows of logits hold NaN or infinity, or the same number for every token.

    A weight that is finite and far too large, e.g. after one bit has flipped, can make the squares in a
    normalisation overflow. It then divides by infinity, and every logit of the row is zero.

    Args:
        logits: A tensor of shape (rows, vocabulary). A token may be barred by minus infinity.

    Returns:
        Booleans of shape (rows,).
    """
    # Both ends are NaN where any logit is; the greatest is minus infinity only where all are.
    least, greatest = logits.aminmax(dim=-1)
    return ~greatest.isfinite() | (least == greatest)
