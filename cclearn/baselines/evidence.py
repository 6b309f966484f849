"""The words of a document that a label was given for, by attributions to tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import pad

from cclearn.baselines.model import PlmModel
from cclearn.notes.spans import Span

Method = Literal["attingrad", "attention"]

_LABELS = 8
"""Number of labels whose gradients are computed together."""

_WORD = re.compile(r"\w+")


def attributions(model: PlmModel, ids: Tensor, chosen: Tensor, method: Method) -> Tensor:
    """Return the share of each token of a document in the attribution of labels.

    `attention` is the attention of the label. `attingrad` multiplies it by the norm of the product of
    the token's embedding and the gradient of the logit with respect to it (AttInGrad, Edin et al. 2024,
    arXiv 2406.08958). The embedding is what the first layer reads, with positions and normalised, as in
    the code of the authors. Shares are positive and add up to 1 for each label.

    Args:
        model: Model in evaluation mode.
        ids: Tokens of one document, of shape (tokens,).
        chosen: Indices of the labels.
        method: Method of the attribution.

    Returns:
        Shares of shape (labels, tokens).
    """
    tokens = ids[None]
    mask = torch.ones_like(tokens, dtype=torch.bool)
    with torch.no_grad():
        hidden = model.hidden_states(tokens, mask)
        found = model.head.attention(hidden, mask, chosen)[0]
        if method == "attingrad":
            parts = torch.split(chosen, _LABELS)
            norms = [_input_gradients(model, ids, hidden, mask, some) for some in parts]
            found = found * torch.cat(norms)
    return found / found.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(found.dtype).tiny)


def _input_gradients(
    model: PlmModel, ids: Tensor, hidden: Tensor, mask: Tensor, chosen: Tensor
) -> Tensor:
    """Return the norm of input times gradient of each label and token, of shape (labels, tokens).

    The gradient with respect to the hidden states is computed first. Chunks do not depend on each other,
    so that it is then carried back through the encoder chunk by chunk. The memory is that of the hidden
    states, once for each label.
    """
    with torch.enable_grad():
        states = hidden.detach().requires_grad_()
        logits = model.head(states, mask, chosen)[0]
        upstream = torch.stack(
            [torch.autograd.grad(logit, states, retain_graph=True)[0][0] for logit in logits]
        )
    chunk, most = model.config.chunk, model.config.encode_batch
    room = -len(ids) % chunk
    parts = pad(ids, (0, room)).view(-1, chunk)
    masks = pad(mask[0], (0, room)).view(-1, chunk)
    above = pad(upstream, (0, 0, 0, room)).view(len(chosen), -1, chunk, upstream.shape[-1])
    norms = [
        _norms(model, parts[some], masks[some], above[:, some])
        for some in torch.split(torch.arange(len(parts)), most)
    ]
    return torch.cat(norms, dim=1).flatten(1)[:, : len(ids)]


def _norms(model: PlmModel, ids: Tensor, mask: Tensor, upstream: Tensor) -> Tensor:
    """Return the norms of chunks, of shape (labels, chunks, tokens)."""
    embedded: list[Tensor] = []

    def keep(module: object, inputs: object, output: Tensor) -> Tensor:
        embedded.append(output.detach().requires_grad_())
        return embedded[0]

    handle = embeddings_of(model).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            states = model.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    finally:
        handle.remove()
    found = []
    for gradient in upstream:
        (back,) = torch.autograd.grad(states, embedded[0], gradient, retain_graph=True)
        found.append((embedded[0].detach() * back).norm(dim=-1))
    return torch.stack(found)


def embeddings_of(model: PlmModel) -> Module:
    """Return the module whose output the first layer of the encoder reads.

    An encoder without such a module has that of the words.
    """
    found: Module = getattr(model.encoder, "embeddings", model.encoder.get_input_embeddings())
    return found


def words_of(text: str) -> list[Span]:
    """Return the spans of the words of a text."""
    return [match.span() for match in _WORD.finditer(text)]


def word_shares(
    words: Sequence[Span], offsets: Sequence[Span], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sum of the shares of the tokens of each word.

    A token belongs to the word that contains its last character. Tokens outside of words are left out.

    Args:
        words: Spans of the words, in their order.
        offsets: Spans of the tokens. Those of special tokens are empty.
        shares: Shares of shape (labels, tokens).

    Returns:
        Shares of shape (labels, words).
    """
    found = np.zeros((len(shares), len(words)))
    if not words:
        return found
    starts = np.array([start for start, _ in words])
    ends = np.array([end for _, end in words])
    last = np.array([end - 1 if end > start else -1 for start, end in offsets], dtype=int)
    index = np.searchsorted(starts, last, side="right") - 1
    inside = (last >= 0) & (index >= 0) & (last < ends[np.maximum(index, 0)])
    for token in np.flatnonzero(inside):
        found[:, index[token]] += shares[:, token]
    return found


def evidence_spans(
    text: str, words: Sequence[Span], shares: NDArray[np.float64], threshold: float
) -> list[Span]:
    """Return the spans of the words whose share is at least a threshold.

    Neighbouring words of a line are one span.

    Args:
        text: Text of the document.
        words: Spans of its words, in their order.
        shares: Share of each word, of shape (words,).
        threshold: Minimum share.
    """
    found: list[Span] = []
    before = -2
    for index in np.flatnonzero(shares >= threshold).tolist():
        start, end = words[index]
        if index == before + 1 and "\n" not in text[found[-1][1] : start]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
        before = index
    return found
