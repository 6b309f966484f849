"""Heads that score labels of a document from the hidden states of its tokens by label attention."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

_DEVIATION = 0.03
"""Standard deviation of the initial weights of labels, as in PLM-ICD."""


LABEL_VECTORS = ("second", "third", "query", "classifier", "output")
"""Names of the weights of a head that are vectors of labels, or one for all labels."""


class LabelHead(nn.Module, ABC):
    """Scores labels: each label attends to the tokens, and its features give its logit.

    Labels do not depend on each other, so that a part of them, or all of them in chunks, have the same
    logits as all at once.

    Args:
        width: Number of values of a hidden state.
        labels: Number of labels.
        label_chunk: Number of labels that are scored at once, 0 for all. In training, the activations of
            a chunk are computed twice, so that only those of one chunk are in memory.

    Attributes:
        uses_descriptions: Whether the head begins with encoded descriptions.
    """

    uses_descriptions = False

    def __init__(self, width: int, labels: int, label_chunk: int = 0) -> None:
        super().__init__()
        self.width = width
        self.labels = labels
        self.label_chunk = label_chunk

    def forward(self, hidden: Tensor, mask: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Return the logits of labels.

        Args:
            hidden: Hidden states of shape (documents, tokens, width).
            mask: Whether each token is one of the document, of shape (documents, tokens).
            chosen: Indices of the labels to score, None for all.

        Returns:
            Logits of shape (documents, labels).
        """
        keys, values = self.project(hidden)
        if chosen is None:
            chosen = torch.arange(self.labels, device=hidden.device)
        if not self.label_chunk or len(chosen) <= self.label_chunk:
            return self._logits(keys, values, mask, chosen)
        parts = []
        for part in torch.split(chosen, self.label_chunk):
            if torch.is_grad_enabled():
                parts.append(
                    checkpoint(self._logits, keys, values, mask, part, use_reentrant=False)
                )
            else:
                parts.append(self._logits(keys, values, mask, part))
        return torch.cat(parts, dim=1)

    def features(self, hidden: Tensor, mask: Tensor, chosen: Tensor) -> Tensor:
        """Return the features of labels, of shape (documents, labels, width).

        Args:
            hidden: Hidden states of shape (documents, tokens, width).
            mask: Whether each token is one of the document, of shape (documents, tokens).
            chosen: Indices of the labels.
        """
        keys, values = self.project(hidden)
        return attended(self.queries(chosen), keys, values, mask)

    def attention(self, hidden: Tensor, mask: Tensor, chosen: Tensor) -> Tensor:
        """Return the attention of labels to tokens, of shape (documents, labels, tokens).

        Args:
            hidden: Hidden states of shape (documents, tokens, width).
            mask: Whether each token is one of the document, of shape (documents, tokens).
            chosen: Indices of the labels.
        """
        keys, _ = self.project(hidden)
        scores = torch.einsum("lh,bth->blt", self.queries(chosen), keys).float()
        scores = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min)
        return scores.softmax(dim=-1) * mask[:, None]

    def _logits(self, keys: Tensor, values: Tensor, mask: Tensor, chosen: Tensor) -> Tensor:
        return self.classify(attended(self.queries(chosen), keys, values, mask), chosen)

    def start_from(self, descriptions: Tensor) -> None:
        """Begin with the encodings of the descriptions of labels, of shape (labels, width)."""

    @abstractmethod
    def project(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and the values of tokens, each of shape (documents, tokens, width)."""

    @abstractmethod
    def queries(self, chosen: Tensor) -> Tensor:
        """Return the queries of labels, of shape (labels, width)."""

    @abstractmethod
    def classify(self, features: Tensor, chosen: Tensor) -> Tensor:
        """Return the logits of labels from their features of shape (documents, labels, width)."""


def attended(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Return the features of labels: the mean of the values, weighted by the softmax over the tokens.

    Args:
        queries: Queries of shape (labels, width).
        keys: Keys of shape (documents, tokens, width).
        values: Values of shape (documents, tokens, width).
        mask: Whether each token is one of the document, of shape (documents, tokens). A document
            without a token has features of zeros.

    Returns:
        Features of shape (documents, labels, width).
    """
    empty = ~mask.any(dim=1)
    seen = mask | empty[:, None]  # The softmax over nothing is not a number.
    features = scaled_dot_product_attention(
        queries.to(keys.dtype).expand(len(keys), 1, *queries.shape),
        keys[:, None],
        values[:, None],
        attn_mask=seen[:, None, None],
        scale=1.0,
    )[:, 0]
    return features.masked_fill(empty[:, None, None], 0.0)


class PlmIcdHead(LabelHead):
    """The head of PLM-ICD (Huang et al. 2022), the label attention of LAAT (Vu et al. 2020).

    Z = tanh(H·W1ᵀ), A = softmax(W2·Zᵀ), D = A·H, and the logit of label l is W3_l·D_l + b_l.
    """

    def __init__(self, width: int, labels: int, label_chunk: int = 0) -> None:
        super().__init__(width, labels, label_chunk)
        self.first = nn.Linear(width, width, bias=False)
        self.second = label_vectors(labels, width)
        self.third = label_vectors(labels, width)
        self.bias = nn.Parameter(torch.zeros(labels))
        nn.init.normal_(self.first.weight, std=_DEVIATION)

    def project(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """See `LabelHead.project`."""
        return torch.tanh(self.first(hidden)), hidden

    def queries(self, chosen: Tensor) -> Tensor:
        """See `LabelHead.queries`."""
        return self.second[chosen]

    def classify(self, features: Tensor, chosen: Tensor) -> Tensor:
        """See `LabelHead.classify`."""
        return (features * self.third[chosen]).sum(-1) + self.bias[chosen]


class PlmCaHead(LabelHead):
    """The head of PLM-CA (Edin et al. 2024): cross-attention, and one classifier for all labels.

    K = H·Wk, V = H·Wv + b, A = softmax(Q·Kᵀ), and the logit of a label is w·LayerNorm(A·V) + c.
    """

    def __init__(self, width: int, labels: int, label_chunk: int = 0) -> None:
        super().__init__(width, labels, label_chunk)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.query = label_vectors(labels, width)
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, 1)

    def project(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """See `LabelHead.project`."""
        return self.key(hidden), self.value(hidden)

    def queries(self, chosen: Tensor) -> Tensor:
        """See `LabelHead.queries`."""
        return self.query[chosen]

    def classify(self, features: Tensor, chosen: Tensor) -> Tensor:
        """See `LabelHead.classify`."""
        # Not as a layer, whose result would have 16 bits under automatic mixed precision.
        logits: Tensor = (self.norm(features) * self.output.weight[0]).sum(-1)
        return logits + self.output.bias


class GkiHead(PlmCaHead):
    """The head of GKI-ICD (arXiv 2505.18708): PLM-CA with a classifier for each label.

    The logit of label l is C_l·LayerNorm(A·V)_l + b_l. Queries and classifiers begin as the encodings of
    the descriptions (`start_from`).
    """

    uses_descriptions = True

    def __init__(self, width: int, labels: int, label_chunk: int = 0) -> None:
        super().__init__(width, labels, label_chunk)
        del self.output
        self.classifier = label_vectors(labels, width)
        self.bias = nn.Parameter(torch.zeros(labels))

    def start_from(self, descriptions: Tensor) -> None:
        """Set queries and classifiers to the encodings of descriptions, of shape (labels, width)."""
        with torch.no_grad():
            self.query.copy_(descriptions)
            self.classifier.copy_(descriptions)

    def classify(self, features: Tensor, chosen: Tensor) -> Tensor:
        """See `LabelHead.classify`."""
        logits: Tensor = (self.norm(features) * self.classifier[chosen]).sum(-1)
        return logits + self.bias[chosen]


class DescriptionHead(PlmCaHead):
    """PLM-CA whose queries and classifiers are projections of encoded descriptions.

    With the fixed encodings E of the descriptions, Q = E·Wq and C = E·Wc, and the logit of label l is
    C_l·LayerNorm(A·V)_l + c. All labels share the weights, so that a label without training notes has a
    meaningful score too.
    """

    uses_descriptions = True

    def __init__(self, width: int, labels: int, label_chunk: int = 0) -> None:
        super().__init__(width, labels, label_chunk)
        del self.output
        del self.query
        self.register_buffer("descriptions", torch.zeros(labels, width))
        self.to_query = nn.Linear(width, width, bias=False)
        self.to_classifier = nn.Linear(width, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(1))

    descriptions: Tensor

    def start_from(self, descriptions: Tensor) -> None:
        """Set the encodings of the descriptions, of shape (labels, width)."""
        self.descriptions.copy_(descriptions)

    def queries(self, chosen: Tensor) -> Tensor:
        """See `LabelHead.queries`."""
        queries: Tensor = self.to_query(self.descriptions[chosen])
        return queries

    def classify(self, features: Tensor, chosen: Tensor) -> Tensor:
        """See `LabelHead.classify`."""
        vectors = linear(self.descriptions[chosen], self.to_classifier.weight)
        logits: Tensor = (self.norm(features) * vectors).sum(-1)
        return logits + self.bias


HEADS: dict[str, type[LabelHead]] = {
    "plm_icd": PlmIcdHead,
    "plm_ca": PlmCaHead,
    "gki_icd": GkiHead,
    "descriptions": DescriptionHead,
}
"""Heads by the names that users write."""


def label_vectors(labels: int, width: int) -> nn.Parameter:
    """Return random vectors of labels, of shape (labels, width)."""
    return nn.Parameter(torch.randn(labels, width) * _DEVIATION)
