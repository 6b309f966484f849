"""Labels of notes as sparse matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from cclearn.evaluation.scored_notes import Aligned, Facts


@dataclass(frozen=True, slots=True)
class Labels:
    """Gold and predicted labels.

    Attributes:
        names: The labels that occur, sorted.
        gold: Of shape (notes, labels), 1 where the label is right.
        predicted: Likewise, where it is predicted.
    """

    names: list[str]
    gold: sparse.csr_array
    predicted: sparse.csr_array

    @property
    def hits(self) -> sparse.csr_array:
        """Of shape (notes, labels), 1 where a label is predicted and right."""
        return self.gold.multiply(self.predicted).tocsr()


def labels_of(
    aligned: Aligned,
    level: Callable[[str], str] | None = None,
    among: Sequence[str] | None = None,
) -> Labels:
    """Return the labels of gold and prediction.

    Args:
        aligned: The notes.
        level: Maps a code to the label that stands for it, e.g. its category; without it codes are the
            labels.
        among: All labels that may occur, sorted; those that do where it is None. Systems that are
            compared need the same ones.
    """
    label: dict[str, str] = {}

    def named(facts: Facts) -> set[str]:
        for code in facts.codes:
            if code not in label:
                label[code] = level(code) if level else code
        return {label[code] for code in facts.codes}

    gold = [named(facts) for facts in aligned.gold]
    predicted = [named(facts) for facts in aligned.predicted]
    names = sorted(set().union(*gold, *predicted)) if among is None else list(among)
    place = {name: number for number, name in enumerate(names)}
    return Labels(names, _matrix(gold, place), _matrix(predicted, place))


def _matrix(found: Sequence[set[str]], place: dict[str, int]) -> sparse.csr_array:
    rows = [sorted(place[name] for name in names) for names in found]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    columns = np.fromiter((column for row in rows for column in row), np.int64, int(starts[-1]))
    values = np.ones(len(columns))
    return sparse.csr_array((values, columns, starts), shape=(len(rows), len(place)))


def by_note(matrix: sparse.csr_array) -> npt.NDArray[np.float64]:
    """Return how many labels each note has."""
    return np.asarray(matrix.sum(axis=1), float).ravel()
