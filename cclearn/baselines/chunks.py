"""Encoding of documents that are longer than the context of an encoder, in chunks of tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad


def encode_in_chunks(encoder: Any, ids: Tensor, mask: Tensor, chunk: int, most: int) -> Tensor:
    """Return the hidden states of the tokens of documents.

    A document is cut into chunks without overlap, as in PLM-ICD (Huang et al. 2022). Positions start
    again in each chunk. Chunks of padding are not encoded, so that padding changes nothing.

    Args:
        encoder: Encoder of transformers.
        ids: Tokens of shape (documents, tokens), padded on the right.
        mask: Whether each token is one of the document, of the same shape.
        chunk: Number of tokens of a chunk.
        most: Number of chunks that are encoded at once where no gradient is needed.

    Returns:
        Hidden states of shape (documents, tokens, width), zero for padding.
    """
    documents, tokens = ids.shape
    chunk = min(chunk, max(tokens, 1))  # Short texts, such as spans, are not filled up to a chunk.
    room = -tokens % chunk
    parts = pad(ids, (0, room)).view(-1, chunk)
    masks = pad(mask, (0, room)).view(-1, chunk)
    used = masks.any(dim=1).nonzero().squeeze(1)
    read = masks
    if not len(used):  # The graph of the encoder is needed even if its result is not.
        used, read = used.new_zeros(1), torch.ones_like(masks)
    size = len(used) if torch.is_grad_enabled() else most
    states = torch.cat(
        [
            encoder(input_ids=parts[some], attention_mask=read[some].long()).last_hidden_state
            for some in torch.split(used, size)
        ]
    )
    hidden = states.new_zeros(len(parts), chunk, states.shape[-1])
    hidden = hidden.index_copy(0, used, states * masks[used][..., None])
    return hidden.view(documents, -1, states.shape[-1])[:, :tokens]
