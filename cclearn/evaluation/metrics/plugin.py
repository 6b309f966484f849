"""Metrics of other packages, which they register in the entry-point group `cclearn.metrics`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, foreign_errors
from cclearn.evaluation.metrics.score_tables import RatioTable
from cclearn.evaluation.scored_notes import AlignedNotes, ScoredNote
from cclearn.registry import METRICS


class Metric(ABC):
    """Base class of metrics, whose scores are ratios of two sums over notes.

    The scores appear in every evaluation as `METRIC/VALUE`, with the same intervals and comparisons as
    the scores of cclearn. `METRIC` is the name of the entry point.

    Attributes:
        values: Names of the scores that the metric computes.
    """

    values: ClassVar[tuple[str, ...]]

    @abstractmethod
    def ratios(
        self, gold: ScoredNote, predicted: ScoredNote, system: CodeSystem
    ) -> Mapping[str, tuple[float, float]]:
        """Return the numerator and the denominator that one note adds to each score.

        Args:
            gold: Gold codes and evidence of the note.
            predicted: Predicted codes and evidence of the note.
            system: The code system of the evaluation.

        Returns:
            Numerator and denominator by the name of the score. Scores may be missing.
        """


def add_plugin_scores(table: RatioTable, aligned: AlignedNotes, system: CodeSystem) -> None:
    """Add the scores of every metric that a plug-in provides.

    Args:
        table: Table to which the scores are added.
        aligned: Gold notes and the predictions of one system.
        system: The code system of the evaluation.

    Raises:
        CclearnError: A metric fails.
    """
    for name, metric_type in METRICS.find_all(Metric).items():
        with foreign_errors(partial(_failure, name)):
            metric: Metric = metric_type()
            pairs = zip(aligned.gold, aligned.predicted, strict=True)
            notes = [metric.ratios(gold, predicted, system) for gold, predicted in pairs]
            for value in metric.values:
                ratios = [note.get(value, (0.0, 0.0)) for note in notes]
                numerators, denominators = zip(*ratios, strict=True)
                table.add(f"{name}/{value}", numerators, denominators)


def _failure(name: str, location: str) -> CclearnError:
    return CclearnError(
        f"metric (name = {name}): it failed ({location}). Repair or remove its package."
    )
