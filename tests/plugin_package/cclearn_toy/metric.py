"""A metric: every evaluation reports `toy/same_first_code` once the package is installed."""

from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.evaluation.metrics.plugin import Metric
from cclearn.evaluation.scored_notes import ScoredNote


class ToyMetric(Metric):
    """The share of the notes whose first predicted code is the first gold code."""

    values = ("same_first_code",)

    def ratios(
        self, gold: ScoredNote, predicted: ScoredNote, system: CodeSystem
    ) -> dict[str, tuple[float, float]]:
        """Return 1 of 1 note if the first codes are equal, and 0 of 1 otherwise."""
        return {"same_first_code": (float(gold.codes[:1] == predicted.codes[:1]), 1.0)}
