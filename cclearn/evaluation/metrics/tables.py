"""Counts note by note, from whose weighted sums every score is made.

A score of the whole set is a function of sums over its notes. With a weight for each note the same
function gives a bootstrap draw (how often a note was drawn) and, for two systems, an approximate
randomisation (which of the two has a note). So every score has an interval, and one definition.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.float64]


class Table(Protocol):
    """Counts of some kind, by note.

    Attributes:
        exchangeable: Whether scores are functions of sums over notes, so that two systems' notes can be
            exchanged.
    """

    exchangeable: bool

    def sums(self, weights: Array) -> Any:
        """Return the sums over notes for each row of weights, of shape (draws, notes)."""

    def values(self, sums: Any) -> dict[str, Array]:
        """Return each score by name, one value a draw; NaN where it is not defined."""


_Terms = tuple[tuple[float, int], ...]
"""A sum of columns, each with its factor."""


class RatioTable:
    """Scores that are a sum over notes divided by another.

    Tables that were filled by the same calls have the same columns, and their sums can be added.

    Args:
        notes: How many notes there are.
    """

    exchangeable = True

    def __init__(self, notes: int) -> None:
        self._notes = notes
        self._columns: list[Array] = []
        self._matrix: Array | None = None
        self._ratios: dict[str, tuple[_Terms, _Terms, float]] = {}

    def add(
        self,
        name: str,
        numerator: npt.ArrayLike,
        denominator: npt.ArrayLike,
        undefined: float = np.nan,
    ) -> None:
        """Add a score.

        Args:
            name: The score's.
            numerator: A value a note.
            denominator: Likewise, or one for all.
            undefined: What 0 / 0 is.
        """
        above, below = self._column(numerator), self._column(denominator)
        self._ratios[name] = (((1, above),), ((1, below),), undefined)

    def add_counts(
        self,
        name: str,
        hits: npt.ArrayLike,
        predicted: npt.ArrayLike,
        gold: npt.ArrayLike,
        undefined: float = 0.0,
    ) -> None:
        """Add micro precision, recall and F1 of counts: TP/(TP+FP), TP/(TP+FN), 2TP/(2TP+FP+FN).

        Args:
            name: Goes before `_precision`, `_recall` and `_f1`.
            hits: True positives of each note.
            predicted: What was predicted, right or wrong.
            gold: What was to be found.
            undefined: What 0 / 0 is.
        """
        true, guessed, right = (self._column(each) for each in (hits, predicted, gold))
        self._ratios[f"{name}_precision"] = (((1, true),), ((1, guessed),), undefined)
        self._ratios[f"{name}_recall"] = (((1, true),), ((1, right),), undefined)
        self._ratios[f"{name}_f1"] = (((2, true),), ((1, guessed), (1, right)), undefined)

    def _column(self, values: npt.ArrayLike) -> int:
        self._columns.append(np.broadcast_to(np.asarray(values, float), (self._notes,)))
        self._matrix = None
        return len(self._columns) - 1

    def sums(self, weights: Array) -> Array:
        """Return the sums of the columns, of shape (draws, columns)."""
        if self._matrix is None:
            self._matrix = np.stack(self._columns or [np.zeros(self._notes)], axis=1)
            self._columns = list(self._matrix.T)  # The same memory.
        return weights @ self._matrix

    def values(self, sums: Array) -> dict[str, Array]:
        """Return the ratios."""

        def total(terms: _Terms) -> Array:
            factors = np.array([factor for factor, _ in terms])
            added: Array = sums[:, [column for _, column in terms]] @ factors
            return added

        return {
            name: divide(total(above), total(below), undefined)
            for name, (above, below, undefined) in self._ratios.items()
        }


class LabelTable:
    """Scores that are a mean over labels, each with counts of its own.

    Args:
        hits: Of shape (notes, labels), 1 where a label is predicted and right.
        predicted: Likewise, where it is predicted.
        gold: Likewise, where it is right.
    """

    exchangeable = True

    def __init__(
        self, hits: sparse.csr_array, predicted: sparse.csr_array, gold: sparse.csr_array
    ) -> None:
        # Products with dense weights go along the notes.
        self._counts = [each.T.tocsr().astype(np.float32) for each in (hits, predicted, gold)]

    def sums(self, weights: Array) -> npt.NDArray[np.float32]:
        """Return true positives, predicted and gold of each label, of shape (3, labels, draws)."""
        turned = np.ascontiguousarray(weights.T, dtype=np.float32)
        return np.stack([count @ turned for count in self._counts])

    def values(self, sums: npt.NDArray[np.float32]) -> dict[str, Array]:
        """Return the means.

        `macro_*` is over the labels that the gold holds (Edin et al. 2023), `macro_any_*` over those
        that gold or prediction holds (Code Like Humans, arXiv 2509.05378); `macro_f1_of_means` is the
        harmonic mean of macro precision and macro recall over the labels of the gold (Mullenbach et al.
        2018); `weighted_*` weighs each label by its gold count.
        """
        hits, predicted, gold = sums
        scores = {
            "precision": divide(hits, predicted, 0.0),
            "recall": divide(hits, gold, 0.0),
            "f1": divide(2 * hits, predicted + gold, 0.0),
        }
        means: dict[str, Array] = {}
        for reading, weights in (
            ("macro", gold > 0),
            ("macro_any", gold + predicted > 0),
            ("weighted", gold),
        ):
            weights = weights.astype(np.float64)
            total = weights.sum(axis=0)
            for name, score in scores.items():
                means[f"{reading}_{name}"] = divide((weights * score).sum(axis=0), total, 0.0)
        both = means["macro_precision"] + means["macro_recall"]
        product = 2 * means["macro_precision"] * means["macro_recall"]
        means["macro_f1_of_means"] = divide(product, both, 0.0)
        return means


def divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike, undefined: float) -> Array:
    """Divide, `undefined` where the denominator is 0."""
    above, below = np.asarray(numerator, float), np.asarray(denominator, float)
    result = np.full(np.broadcast_shapes(above.shape, below.shape), float(undefined))
    np.divide(above, below, out=result, where=below != 0)
    return result
