"""Precision, recall and F1 over sets of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 0 where nothing was predicted."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); 0 where nothing was to be found."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall; 0 where undefined."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)


def count(gold: AbstractSet[Hashable], predicted: AbstractSet[Hashable]) -> Counts:
    """Compare two sets."""
    hits = len(gold & predicted)
    return Counts(hits, len(predicted) - hits, len(gold) - hits)


def count_by_label(
    pairs: Iterable[tuple[AbstractSet[str], AbstractSet[str]]],
) -> dict[str, Counts]:
    """Count each label over documents.

    Args:
        pairs: The gold and the predicted labels of each document.
    """
    hits: Counter[str] = Counter()
    extra: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for gold, predicted in pairs:
        hits.update(gold & predicted)
        extra.update(predicted - gold)
        missed.update(gold - predicted)
    return {
        label: Counts(hits[label], extra[label], missed[label])
        for label in sorted({*hits, *extra, *missed})
    }


def macro_f1(by_label: dict[str, Counts]) -> float:
    """Return the mean F1 over the labels that the gold holds (Edin et al. 2023).

    The other reading in use, over labels with TP + FP + FN > 0, is lower wherever a system predicts
    labels that no document has; it is not what this returns.
    """
    present = [c for c in by_label.values() if c.true_positives + c.false_negatives > 0]
    return _ratio(sum(counts.f1 for counts in present), len(present))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
