"""The heads of the baselines in NumPy, written from the papers, without masks, batches and chunks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softmax(scores: Array) -> Array:
    """Return the softmax over the last axis."""
    powers: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def normalised(values: Array, weight: Array, bias: Array) -> Array:
    """Return the layer normalisation of the last axis, with PyTorch's epsilon."""
    centred = values - values.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * weight + bias


def plm_icd(hidden: Array, w: dict[str, Array]) -> Array:
    """Return the logits of PLM-ICD for the hidden states of one document."""
    z = np.tanh(hidden @ w["first.weight"].T)
    weights = softmax(w["second"] @ z.T)
    features = weights @ hidden
    return np.asarray((features * w["third"]).sum(axis=-1) + w["bias"])


def _cross(hidden: Array, queries: Array, w: dict[str, Array]) -> Array:
    keys = hidden @ w["key.weight"].T
    values = hidden @ w["value.weight"].T + w["value.bias"]
    features = softmax(queries @ keys.T) @ values
    return normalised(features, w["norm.weight"], w["norm.bias"])


def plm_ca(hidden: Array, w: dict[str, Array]) -> Array:
    """Return the logits of PLM-CA for the hidden states of one document."""
    return np.asarray(_cross(hidden, w["query"], w) @ w["output.weight"][0] + w["output.bias"][0])


def gki_icd(hidden: Array, w: dict[str, Array]) -> Array:
    """Return the logits of GKI-ICD for the hidden states of one document."""
    return np.asarray((_cross(hidden, w["query"], w) * w["classifier"]).sum(axis=-1) + w["bias"])


def descriptions(hidden: Array, w: dict[str, Array]) -> Array:
    """Return the logits of the head whose weights are projections of descriptions."""
    queries = w["descriptions"] @ w["to_query.weight"].T
    classifiers = w["descriptions"] @ w["to_classifier.weight"].T
    return np.asarray((_cross(hidden, queries, w) * classifiers).sum(axis=-1) + w["bias"][0])


HEADS: dict[str, Callable[[Array, dict[str, Array]], Array]] = {
    "plm_icd": plm_icd,
    "plm_ca": plm_ca,
    "gki_icd": gki_icd,
    "descriptions": descriptions,
}


def cross_entropy(logits: Array, labels: Array) -> float:
    """Return the mean binary cross-entropy over labels."""
    probabilities = 1 / (1 + np.exp(-logits))
    losses = -(labels * np.log(probabilities) + (1 - labels) * np.log(1 - probabilities))
    return float(losses.mean())


def gradient(loss: Callable[[Array], float], at: Array, step: float = 1e-6) -> Array:
    """Return the gradient of a function by central differences."""
    found = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        moved = [at.copy(), at.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        found[index] = (loss(moved[0]) - loss(moved[1])) / (2 * step)
    return found
