"""Scoring systems against gold coded notes: every score with its interval, and systems compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError, shown_id
from cclearn.evaluation.bootstrap import Difference, Score, score_tables
from cclearn.evaluation.metrics.codes import (
    add_code_scores,
    add_grouped_scores,
    add_hierarchical_scores,
    chapter_groups,
    frequency_groups,
)
from cclearn.evaluation.metrics.evidence import add_evidence_scores
from cclearn.evaluation.metrics.labels import Labels, labels_of
from cclearn.evaluation.metrics.plugin import add_plugin_scores
from cclearn.evaluation.metrics.rates import (
    add_decision_scores,
    add_rates,
    gold_warnings,
    warnings_of,
)
from cclearn.evaluation.metrics.reliability import Bin, calibration
from cclearn.evaluation.metrics.roc import AreaTable
from cclearn.evaluation.metrics.tables import RatioTable, Table
from cclearn.evaluation.report.confusion import Branch, Confusion, confusion_tree, confusions
from cclearn.evaluation.scored_notes import Aligned, Facts, align, facts_of
from cclearn.notes import CodedNote
from cclearn.runtime.debugging import logged_step

_IN_TREE = 24
"""How many confusions a tree holds."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to score.

    Attributes:
        draws: Of the bootstrap and of the randomisation; 0 leaves the intervals out.
        seed: Decides them.
        training: By code, how many training notes hold it; scores by frequency need it.
    """

    draws: int = 1_000
    seed: int = 0
    training: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of one system.

    Attributes:
        notes: How many notes were asked for; all of them are scored.
        missing: Those without a prediction, scored as if nothing was found.
        scores: By name; `docs/evaluation.md` has the definitions.
        warnings: What a reader of the scores must know.
        calibration: The predicted codes by their scores; none where they have no scores.
        confusions: Missed codes beside their wrong relatives.
        confusion_tree: Where in the hierarchy the most frequent of them lie.
    """

    notes: int
    missing: tuple[str, ...]
    scores: dict[str, Score]
    warnings: tuple[str, ...]
    calibration: tuple[Bin, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    confusion_tree: tuple[Branch, ...] = ()

    def value(self, name: str) -> float | None:
        """Return a score on all notes, None where it is not defined."""
        return self.scores[name].value if name in self.scores else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems scored on the same notes.

    Attributes:
        evaluations: By system.
        differences: By pair of systems and score, the first less the second.
        labels: How many codes gold and predictions hold.
        warnings: What a reader must know of the gold.
    """

    evaluations: dict[str, Evaluation]
    differences: dict[tuple[str, str], dict[str, Difference]]
    labels: int
    warnings: tuple[str, ...] = ()


@logged_step("score predictions", __name__)
def evaluate(
    gold: Iterable[CodedNote],
    predicted: Mapping[str, Iterable[CodedNote]],
    system: CodeSystem,
    settings: Settings | None = None,
    compare: bool = False,
) -> Comparison:
    """Score the predictions of any number of systems.

    Notes are read once and not kept.

    Args:
        gold: The notes with the codes that are right.
        predicted: By system, the notes with the codes that it assigned, in any order.
        system: The code system: hierarchy, and which codes are valid.
        settings: How to score.
        compare: Whether each pair of systems is compared.

    Raises:
        CclearnError: Notes of the gold stand twice, or there are none; or predictions are for other
            notes, for other texts, or twice for one note. All of it is told at once.
    """
    settings = settings or Settings()
    references = _references(gold)
    aligned = _aligned(references, predicted)
    names = sorted(
        {code for facts in references for code in facts.codes}.union(
            *(facts.codes for each in aligned.values() for facts in each.predicted)
        )
    )
    labels = {name: labels_of(each, among=names) for name, each in aligned.items()}
    # Systems are compared by the same scores.
    decided = any(facts.decisions for each in aligned.values() for facts in each.predicted)
    tables = {
        name: _tables(aligned[name], labels[name], system, settings, decided) for name in aligned
    }
    scores, differences = score_tables(
        tables, len(references), settings.draws, settings.seed, compare
    )
    taken = {name: tuple(confusions(each, system)) for name, each in aligned.items()}
    evaluations = {
        name: Evaluation(
            notes=len(references),
            missing=aligned[name].missing,
            scores=scores[name],
            warnings=tuple(warnings_of(aligned[name], labels[name], system)),
            calibration=tuple(calibration(aligned[name])),
            confusions=taken[name],
            confusion_tree=tuple(confusion_tree(taken[name], system, _IN_TREE)),
        )
        for name in aligned
    }
    warnings = tuple(gold_warnings(references, system))
    if not any(facts.codes for facts in references):
        warnings = ("no note of the gold has a code", *warnings)
    return Comparison(evaluations, differences, len(names), warnings)


def _references(gold: Iterable[CodedNote]) -> list[Facts]:
    references = [facts_of(note) for note in gold]
    if not references:
        raise CclearnError(
            "gold (notes = 0): there is nothing to score against. Name another file."
        )
    counts = Counter(facts.id for facts in references)
    twice = [identifier for identifier, count in counts.items() if count > 1]
    if twice:
        raise CclearnError(
            f"gold (ids = {', '.join(map(shown_id, twice[:5]))}): notes stand twice. Keep one of each."
        )
    return references


def _aligned(
    references: list[Facts], predicted: Mapping[str, Iterable[CodedNote]]
) -> dict[str, Aligned]:
    aligned: dict[str, Aligned] = {}
    problems: list[str] = []
    for name, notes in predicted.items():
        try:
            aligned[name] = align(references, notes, name)
        except CclearnError as error:
            problems += error.lines
    if problems:
        raise ConfigurationError(problems)
    return aligned


def _tables(
    aligned: Aligned, labels: Labels, system: CodeSystem, settings: Settings, decided: bool
) -> list[Table]:
    ratios = RatioTable(len(aligned.gold))
    by_label = add_code_scores(ratios, aligned, labels)
    add_hierarchical_scores(ratios, aligned, system)
    groups = chapter_groups(labels, system)
    if settings.training is not None:
        groups |= frequency_groups(labels, settings.training)
    add_grouped_scores(ratios, labels, groups)
    if any(facts.spans for facts in aligned.gold):
        add_evidence_scores(ratios, aligned)
    add_rates(ratios, aligned, system)
    if decided:
        add_decision_scores(ratios, aligned)
    add_plugin_scores(ratios, aligned, system)
    tables: list[Table] = [ratios, by_label]
    if any(facts.codes for facts in aligned.predicted) and all(
        facts.scores is not None for facts in aligned.predicted
    ):
        tables.append(AreaTable(aligned, labels))
    return tables
