"""Tables of counts by note, from whose weighted sums the scores are computed.

A score of a set of notes is a function of sums over the notes. With weights of the notes, the same
function computes the score of a bootstrap draw (the weight is how often a note was drawn) and of an
approximate randomisation (the weight is 1 for the notes that a system keeps). So each score has one
definition.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.float64]


class ScoreTable(Protocol):
    """Counts by note, and the scores that are computed from them.

    Attributes:
        exchangeable: Whether the scores are functions of sums over notes, so that the notes of two
            systems can be exchanged.
    """

    exchangeable: bool

    def sums(self, weights: Array) -> Any:
        """Return the sums over notes for weights of shape (draws, notes)."""

    def values(self, sums: Any) -> dict[str, Array]:
        """Return the values of each score, one per draw, NaN if the score is not defined."""


_Terms = tuple[tuple[float, int], ...]
"""Factors and indices of the columns that are summed."""


class RatioTable:
    """Scores that are ratios of two sums over notes.

    Tables that were filled by the same calls have the same columns, so that their sums can be added.

    Args:
        notes: Number of notes.
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
            name: Name of the score.
            numerator: Numerator of each note.
            denominator: Denominator of each note, or one value for all notes.
            undefined: Value of 0 / 0.
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
            name: Prefix of the names `_precision`, `_recall` and `_f1`.
            hits: Number of true positives of each note.
            predicted: Number of predictions of each note.
            gold: Number of gold labels of each note.
            undefined: Value of 0 / 0.
        """
        true, guessed, actual = (self._column(counts) for counts in (hits, predicted, gold))
        self._ratios[f"{name}_precision"] = (((1, true),), ((1, guessed),), undefined)
        self._ratios[f"{name}_recall"] = (((1, true),), ((1, actual),), undefined)
        self._ratios[f"{name}_f1"] = (((2, true),), ((1, guessed), (1, actual)), undefined)

    def _column(self, values: npt.ArrayLike) -> int:
        self._columns.append(np.broadcast_to(np.asarray(values, float), (self._notes,)))
        self._matrix = None
        return len(self._columns) - 1

    def sums(self, weights: Array) -> Array:
        """Return the sums of the columns, of shape (draws, columns)."""
        if self._matrix is None:
            self._matrix = np.stack(self._columns or [np.zeros(self._notes)], axis=1)
            self._columns = list(self._matrix.T)  # Views of the matrix.
        return weights @ self._matrix

    def values(self, sums: Array) -> dict[str, Array]:
        """Return the values of each ratio, one per draw."""

        def total(terms: _Terms) -> Array:
            factors = np.array([factor for factor, _ in terms])
            added: Array = sums[:, [column for _, column in terms]] @ factors
            return added

        return {
            name: divide(total(above), total(below), undefined)
            for name, (above, below, undefined) in self._ratios.items()
        }


class LabelTable:
    """Scores that are means over labels.

    Args:
        hits: Matrix of shape (notes, labels), which is 1 for true positives.
        predicted: Matrix of shape (notes, labels), which is 1 for predicted labels.
        gold: Matrix of shape (notes, labels), which is 1 for gold labels.
    """

    exchangeable = True

    def __init__(
        self, hits: sparse.csr_array, predicted: sparse.csr_array, gold: sparse.csr_array
    ) -> None:
        # Transposed, so that products with dense weights sum over the notes.
        self._counts = [matrix.T.tocsr().astype(np.float32) for matrix in (hits, predicted, gold)]

    def sums(self, weights: Array) -> npt.NDArray[np.float32]:
        """Return the true positives, predictions and gold labels, of shape (3, labels, draws)."""
        transposed = np.ascontiguousarray(weights.T, dtype=np.float32)
        return np.stack([count @ transposed for count in self._counts])

    def values(self, sums: npt.NDArray[np.float32]) -> dict[str, Array]:
        """Return the values of each mean, one per draw.

        `macro_*` are means over the gold labels (Edin et al. 2023), `macro_any_*` over gold and
        predicted labels (Code Like Humans, arXiv 2509.05378). `macro_f1_of_means` is the harmonic mean
        of macro precision and macro recall over the gold labels (Mullenbach et al. 2018). `weighted_*`
        are means weighted by the number of gold labels.
        """
        hits, predicted, gold = sums
        scores = {
            "precision": divide(hits, predicted, 0.0),
            "recall": divide(hits, gold, 0.0),
            "f1": divide(2 * hits, predicted + gold, 0.0),
        }
        means: dict[str, Array] = {}
        for prefix, weights in (
            ("macro", gold > 0),
            ("macro_any", gold + predicted > 0),
            ("weighted", gold),
        ):
            weights = weights.astype(np.float64)
            total = weights.sum(axis=0)
            for name, score in scores.items():
                means[f"{prefix}_{name}"] = divide((weights * score).sum(axis=0), total, 0.0)
        both = means["macro_precision"] + means["macro_recall"]
        product = 2 * means["macro_precision"] * means["macro_recall"]
        means["macro_f1_of_means"] = divide(product, both, 0.0)
        return means


class PrefixedTable:
    """The scores of a table under other names.

    Args:
        table: The table.
        prefix: Text before the name of each score.
    """

    def __init__(self, table: ScoreTable, prefix: str) -> None:
        self.exchangeable = table.exchangeable
        self.sums = table.sums
        self._table = table
        self._prefix = prefix

    def values(self, sums: Any) -> dict[str, Array]:
        """Return the values of each score, one per draw."""
        return {
            f"{self._prefix}{name}": values for name, values in self._table.values(sums).items()
        }


def divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike, undefined: float) -> Array:
    """Return the ratio of two arrays, and `undefined` for elements whose denominator is 0."""
    above, below = np.asarray(numerator, float), np.asarray(denominator, float)
    result = np.full(np.broadcast_shapes(above.shape, below.shape), float(undefined))
    np.divide(above, below, out=result, where=below != 0)
    return result
