"""Losses of models that score labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cosine_similarity,
    kl_div,
    log_softmax,
)


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the binary cross-entropy, the mean over documents and labels.

    Args:
        logits: Logits of shape (documents, labels).
        labels: 1 for the gold labels and 0 for the others, of the same shape.
        weights: Weight of each label, of shape (labels,). None weighs all labels equally.

    Returns:
        The loss, a scalar. With weights, it is the weighted mean.
    """
    losses = binary_cross_entropy_with_logits(logits.float(), labels.float(), reduction="none")
    if weights is None:
        return losses.mean()
    return (losses * weights).sum(dim=-1).mean() / weights.sum()


def consistency_loss(first: Tensor, second: Tensor) -> Tensor:
    """Return the divergence between the logits of two passes with different dropout (R-Drop).

    It is the symmetric Kullback–Leibler divergence of the softmaxes over the labels (Liang et al. 2021,
    arXiv 2106.14448), divided by the number of labels as in GKI-ICD (arXiv 2505.18708); the mean over
    documents.

    Args:
        first: Logits of shape (documents, labels).
        second: Logits of the other pass, of the same shape.
    """
    p, q = log_softmax(first.float(), dim=-1), log_softmax(second.float(), dim=-1)
    both = kl_div(q, p, log_target=True, reduction="none")
    both = both + kl_div(p, q, log_target=True, reduction="none")
    return both.mean() / 2


def similarity_loss(documents: Tensor, guidelines: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the cosine of the features of documents and of their guidelines (GKI-ICD).

    Args:
        documents: Features of shape (documents, labels, width).
        guidelines: Features of the guideline of each document, of the same shape.
        labels: 1 for the gold labels and 0 for the others, of shape (documents, labels).

    Returns:
        The mean over all gold labels, zero if there are none.
    """
    cosine = cosine_similarity(documents.float(), guidelines.float(), dim=-1)
    return ((1 - cosine) * labels).sum() / labels.sum().clamp(min=1)


def sample_labels(
    labels: Tensor, number: int, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Return the labels that a batch is trained on, and their weights.

    They are the gold labels of all documents and a random sample of the others. The weight of a sampled
    label is the inverse of its probability, so that the expected sum of losses is that of all labels.

    Args:
        labels: 1 for the gold labels and 0 for the others, of shape (documents, labels).
        number: Number of labels to sample.
        generator: Generator of random numbers on the CPU.

    Returns:
        Indices of the labels in ascending order, and their weights of the same shape. The weights are
        None if all labels are used.
    """
    is_gold = labels.any(dim=0).cpu()
    others = (~is_gold).nonzero().squeeze(1)
    if len(others) <= number:
        return torch.arange(labels.shape[1], device=labels.device), None
    drawn = others[torch.randperm(len(others), generator=generator)[:number]]
    chosen = torch.cat([is_gold.nonzero().squeeze(1), drawn]).sort().values
    weights = torch.where(is_gold[chosen], 1.0, len(others) / number)
    return chosen.to(labels.device), weights.to(labels.device)
