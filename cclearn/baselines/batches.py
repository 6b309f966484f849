"""Batches of documents of different lengths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def padded(documents: Sequence[Sequence[int]], pad: int = 0) -> tuple[Tensor, Tensor]:
    """Return the tokens of documents and their mask, each of shape (documents, tokens).

    The mask is 1 for tokens of the document and 0 for padding. A batch has at least one token, because
    no sequence of a model can be empty: that of documents without tokens is padding.

    Args:
        documents: Tokens of each document.
        pad: Token that fills up shorter documents.
    """
    rows = [torch.tensor(ids or [pad], dtype=torch.long) for ids in documents]
    masks = [torch.full_like(row, bool(ids)) for row, ids in zip(rows, documents, strict=True)]
    return pad_sequence(rows, True, pad), pad_sequence(masks, True)
