"""Labels of notes as sparse matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from cclearn.evaluation.scored_notes import AlignedNotes, ScoredNote


@dataclass(frozen=True, slots=True)
class Labels:
    """Gold and predicted labels.

    Attributes:
        names: Sorted names of the labels.
        gold: Matrix of shape (notes, labels), which is 1 for the gold labels of a note.
        predicted: Matrix of shape (notes, labels), which is 1 for the predicted labels of a note.
    """

    names: list[str]
    gold: sparse.csr_array
    predicted: sparse.csr_array

    @property
    def hits(self) -> sparse.csr_array:
        """Matrix of shape (notes, labels), which is 1 for the true positives of a note."""
        return self.gold.multiply(self.predicted).tocsr()


def labels_of(
    aligned: AlignedNotes,
    level: Callable[[str], str] | None = None,
    among: Sequence[str] | None = None,
) -> Labels:
    """Return the labels of gold notes and predictions.

    Args:
        aligned: The notes.
        level: Function that maps a code to its label, e.g. to its category; None uses the codes.
        among: Sorted labels of the columns; None uses the labels that occur. Systems that are compared
            need the same columns.
    """
    label: dict[str, str] = {}

    def labels(note: ScoredNote) -> set[str]:
        for code in note.codes:
            if code not in label:
                label[code] = level(code) if level else code
        return {label[code] for code in note.codes}

    gold = [labels(note) for note in aligned.gold]
    predicted = [labels(note) for note in aligned.predicted]
    names = sorted(set().union(*gold, *predicted)) if among is None else list(among)
    columns = {name: number for number, name in enumerate(names)}
    return Labels(names, _matrix(gold, columns), _matrix(predicted, columns))


def _matrix(labels: Sequence[set[str]], column_of: dict[str, int]) -> sparse.csr_array:
    rows = [sorted(column_of[name] for name in names) for names in labels]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    columns = np.fromiter((column for row in rows for column in row), np.int64, int(starts[-1]))
    values = np.ones(len(columns))
    return sparse.csr_array((values, columns, starts), shape=(len(rows), len(column_of)))


def count_by_note(matrix: sparse.csr_array) -> npt.NDArray[np.float64]:
    """Return the number of labels of each note."""
    return np.asarray(matrix.sum(axis=1), float).ravel()
