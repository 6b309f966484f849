"""The area under the ROC curve over (note, code) pairs, where codes have scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cclearn.evaluation.metrics.labels import Labels
from cclearn.evaluation.metrics.tables import Array, divide
from cclearn.evaluation.scored_notes import Aligned

_BLOCK = 8
"""Draws that are ranked at once: each needs a value for every scored code."""


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Scored codes in the order of label and score.

    Attributes:
        notes: The note of each.
        right: Whether it is right.
        ties: Where each run of one label and one score begins.
        labels: The label of each run.
    """

    notes: np.ndarray
    right: np.ndarray
    ties: np.ndarray
    labels: np.ndarray


class AreaTable:
    """Micro and macro AUC by ranks (Mann-Whitney), ties counted half.

    A code that is not predicted has the lowest score of all. The labels are those that gold or
    prediction hold; the macro mean is over labels that some notes have and others have not.

    Args:
        aligned: Notes, all of whose predictions have scores.
        labels: Their codes.
    """

    exchangeable = False

    def __init__(self, aligned: Aligned, labels: Labels) -> None:
        place = {name: number for number, name in enumerate(labels.names)}
        entries = [
            (row, place[code], score)
            for row, facts in enumerate(aligned.predicted)
            for code, score in zip(facts.codes, facts.scores or (), strict=True)
        ]
        table = np.array(entries, float).reshape(-1, 3)
        notes, columns, scores = table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2]
        right = np.asarray(labels.gold.tocsr()[notes, columns], float).ravel()
        self._gold = labels.gold.T.tocsr()
        self._labels = len(labels.names)
        self._micro = _ranking(notes, right, np.zeros(len(notes), int), scores)
        self._macro = _ranking(notes, right, columns, scores)

    def sums(self, weights: Array) -> Array:
        """Return the weights: ranks are no sums."""
        return weights

    def values(self, sums: Array) -> dict[str, Array]:
        """Return `auc_micro` and `auc_macro`."""
        micro, macro = [], []
        for start in range(0, len(sums), _BLOCK):
            weights = sums[start : start + _BLOCK]
            total = weights.sum(axis=1)
            gold = np.asarray(self._gold @ weights.T)  # labels, draws
            positives = gold.sum(axis=0)
            area = _areas(self._micro, weights, 1, positives[None], (total * self._labels)[None])
            micro.append(area[0])
            each = _areas(
                self._macro, weights, self._labels, gold, np.broadcast_to(total, gold.shape)
            )
            with np.errstate(all="ignore"):
                known = np.isfinite(each)
                macro.append(
                    divide(np.where(known, each, 0).sum(axis=0), known.sum(axis=0), np.nan)
                )
        return {"auc_micro": np.concatenate(micro), "auc_macro": np.concatenate(macro)}


def _ranking(
    notes: np.ndarray, right: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> _Ranking:
    order = np.lexsort((scores, labels))
    labels, scores = labels[order], scores[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (labels[1:] != labels[:-1]) | (scores[1:] != scores[:-1])
    ties = np.flatnonzero(begins)
    return _Ranking(notes[order], right[order], ties, labels[ties])


def _areas(ranking: _Ranking, weights: Array, labels: int, positives: Array, pairs: Array) -> Array:
    """Return the area of each label and draw, of shape (labels, draws); NaN where it has one class.

    Args:
        ranking: The scored codes.
        weights: Of the notes, of shape (draws, notes).
        labels: How many labels.
        positives: The weight of the right pairs, of shape (labels, draws).
        pairs: The weight of all pairs, likewise.
    """
    negatives = pairs - positives
    draws = len(weights)
    if not len(ranking.ties):
        area = 0.5 * positives * negatives
        return divide(area, positives * negatives, np.nan)
    each = weights[:, ranking.notes]
    up = np.add.reduceat(each * ranking.right, ranking.ties, axis=1)  # draws, runs
    down = np.add.reduceat(each * (1 - ranking.right), ranking.ties, axis=1)
    scored_up, scored_down = np.zeros((labels, draws)), np.zeros((labels, draws))
    np.add.at(scored_up, ranking.labels, up.T)
    np.add.at(scored_down, ranking.labels, down.T)
    # Below the scored codes of a label lie all pairs that were not predicted, alike among themselves.
    rest_up, rest_down = positives - scored_up, negatives - scored_down
    running = np.cumsum(down, axis=1)
    starts = np.searchsorted(ranking.labels, np.arange(labels))
    before = np.where(starts > 0, running[:, np.maximum(starts - 1, 0)], 0.0)
    below = running - down - before[:, ranking.labels] + rest_down.T[:, ranking.labels]
    area = 0.5 * rest_up * rest_down
    np.add.at(area, ranking.labels, (up * (below + 0.5 * down)).T)
    return divide(area, positives * negatives, np.nan)
