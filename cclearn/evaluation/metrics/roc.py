"""The area under the ROC curve over pairs of notes and codes, for predictions with scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cclearn.evaluation.metrics.labels import Labels
from cclearn.evaluation.metrics.score_tables import Array, divide
from cclearn.evaluation.scored_notes import AlignedNotes

_BLOCK = 8
"""Number of draws that are ranked together. Each draw needs a value for every scored code."""


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Scored codes, sorted by label and score.

    Attributes:
        notes: Index of the note of each code.
        correct: 1 for correct codes, 0 for the others.
        ties: Index of the first code of each run with the same label and score.
        labels: Index of the label of each run.
    """

    notes: np.ndarray
    correct: np.ndarray
    ties: np.ndarray
    labels: np.ndarray


class AUCTable:
    """Micro and macro AUC by ranks (Mann-Whitney). Ties count half.

    A code that is not predicted has the lowest score. The labels are the codes of gold notes and those
    that the system predicts; codes of other systems do not count. The macro mean is over labels that
    some notes have and other notes do not have.

    Args:
        aligned: Notes, all of whose predictions have scores.
        labels: Codes of the notes, and perhaps others.
    """

    exchangeable = False

    def __init__(self, aligned: AlignedNotes, labels: Labels) -> None:
        column_of = {name: number for number, name in enumerate(labels.names)}
        entries = [
            (row, column_of[code], score)
            for row, note in enumerate(aligned.predicted)
            for code, score in zip(note.codes, note.scores or (), strict=True)
        ]
        table = np.array(entries, float).reshape(-1, 3)
        notes, columns, scores = table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2]
        correct = np.asarray(labels.gold.tocsr()[notes, columns], float).ravel()
        self._gold = labels.gold.T.tocsr()
        self._labels = len(labels.names)
        used = np.asarray(labels.gold.sum(axis=0) + labels.predicted.sum(axis=0)).ravel()
        self._used = int(np.count_nonzero(used))
        self._micro = _ranking(notes, correct, np.zeros(len(notes), int), scores)
        self._macro = _ranking(notes, correct, columns, scores)

    def sums(self, weights: Array) -> Array:
        """Return the weights, because ranks are not sums over notes."""
        return weights

    def values(self, sums: Array) -> dict[str, Array]:
        """Return `auc_micro` and `auc_macro`."""
        micro, macro = [], []
        for start in range(0, len(sums), _BLOCK):
            weights = sums[start : start + _BLOCK]
            total = weights.sum(axis=1)
            gold = np.asarray(self._gold @ weights.T)  # labels, draws
            positives = gold.sum(axis=0)
            area = _areas(self._micro, weights, 1, positives[None], (total * self._used)[None])
            micro.append(area[0])
            areas = _areas(
                self._macro, weights, self._labels, gold, np.broadcast_to(total, gold.shape)
            )
            with np.errstate(all="ignore"):
                known = np.isfinite(areas)
                macro.append(
                    divide(np.where(known, areas, 0).sum(axis=0), known.sum(axis=0), np.nan)
                )
        return {"auc_micro": np.concatenate(micro), "auc_macro": np.concatenate(macro)}


def _ranking(
    notes: np.ndarray, correct: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> _Ranking:
    order = np.lexsort((scores, labels))
    labels, scores = labels[order], scores[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (labels[1:] != labels[:-1]) | (scores[1:] != scores[:-1])
    ties = np.flatnonzero(begins)
    return _Ranking(notes[order], correct[order], ties, labels[ties])


def _areas(ranking: _Ranking, weights: Array, labels: int, positives: Array, pairs: Array) -> Array:
    """Return the areas of shape (labels, draws), NaN for a label with one class only.

    Args:
        ranking: The scored codes.
        weights: Weights of the notes, of shape (draws, notes).
        labels: Number of labels.
        positives: Weight of the positive pairs, of shape (labels, draws).
        pairs: Weight of all pairs, of shape (labels, draws).
    """
    negatives = pairs - positives
    draws = len(weights)
    if not len(ranking.ties):
        area = 0.5 * positives * negatives
        return divide(area, positives * negatives, np.nan)
    weight = weights[:, ranking.notes]
    up = np.add.reduceat(weight * ranking.correct, ranking.ties, axis=1)  # draws, runs
    down = np.add.reduceat(weight * (1 - ranking.correct), ranking.ties, axis=1)
    scored_up, scored_down = np.zeros((labels, draws)), np.zeros((labels, draws))
    np.add.at(scored_up, ranking.labels, up.T)
    np.add.at(scored_down, ranking.labels, down.T)
    # All pairs that were not predicted rank below the scored codes of a label, and tie with each other.
    rest_up, rest_down = positives - scored_up, negatives - scored_down
    running = np.cumsum(down, axis=1)
    starts = np.searchsorted(ranking.labels, np.arange(labels))
    before = np.where(starts > 0, running[:, np.maximum(starts - 1, 0)], 0.0)
    below = running - down - before[:, ranking.labels] + rest_down.T[:, ranking.labels]
    area = 0.5 * rest_up * rest_down
    np.add.at(area, ranking.labels, (up * (below + 0.5 * down)).T)
    return divide(area, positives * negatives, np.nan)
