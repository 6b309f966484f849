"""Scoring systems against gold coded notes: every score with its interval, and systems compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.codes.editions import EditionMap
from cclearn.errors import CclearnError, ConfigurationError, shown_id
from cclearn.evaluation.bootstrap import Difference, Score, score_systems
from cclearn.evaluation.gold_edition import GoldEdition
from cclearn.evaluation.metrics.code_counts import CodeCount, count_codes
from cclearn.evaluation.metrics.codes import (
    add_code_scores,
    add_family_recall,
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
from cclearn.evaluation.metrics.reliability import ReliabilityBin, reliability_bins
from cclearn.evaluation.metrics.roc import AUCTable
from cclearn.evaluation.metrics.score_tables import PrefixedTable, RatioTable, ScoreTable
from cclearn.evaluation.report.confusion import (
    Confusion,
    ConfusionBranch,
    confusion_tree,
    find_confusions,
)
from cclearn.evaluation.scored_notes import AlignedNotes, ScoredNote, align, scored_note
from cclearn.notes import CodedNote
from cclearn.runtime.debugging import logged_step

_IN_TREE = 24
"""Maximum number of confusions in a tree."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of an evaluation.

    Attributes:
        draws: Number of draws of the bootstrap and of the randomisation; 0 computes no intervals.
        seed: Seed of the draws.
        training: Number of training notes that contain each code. Scores by training frequency need it.
        edition_map: Changes since the edition of the gold, for scores in that edition
            (`cclearn.evaluation.gold_edition`); None computes none.
    """

    draws: int = 1_000
    seed: int = 0
    training: Mapping[str, int] | None = None
    edition_map: EditionMap | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of one system.

    Attributes:
        notes: Number of gold notes, all of which are scored.
        missing: Ids of the notes without a prediction, which are scored as notes without codes.
        scores: Scores by name; `docs/evaluation.md` defines them.
        warnings: What a reader of the scores must know.
        calibration: Bins of the reliability diagram; empty if predictions have no scores.
        confusions: Missed codes, each with the related code that was predicted instead.
        confusion_tree: The most frequent confusions, arranged by the hierarchy of the code system.
        codes: Number of notes in which each code was right, missed and invented.
    """

    notes: int
    missing: tuple[str, ...]
    scores: dict[str, Score]
    warnings: tuple[str, ...]
    calibration: tuple[ReliabilityBin, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    confusion_tree: tuple[ConfusionBranch, ...] = ()
    codes: tuple[CodeCount, ...] = ()

    def value(self, name: str) -> float | None:
        """Return a score on all notes, None if it is not defined."""
        return self.scores[name].value if name in self.scores else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems scored on the same notes.

    Attributes:
        evaluations: Scores by system.
        differences: Score of the first system minus that of the second, by pair of systems and score.
        labels: Number of different codes in gold and predictions.
        warnings: What a reader must know about the gold notes.
    """

    evaluations: dict[str, Evaluation]
    differences: dict[tuple[str, str], dict[str, Difference]]
    labels: int
    warnings: tuple[str, ...] = ()


@logged_step("score predictions", __name__)
def evaluate(
    gold: Iterable[CodedNote],
    predicted: Mapping[str, Iterable[CodedNote]] | Iterable[CodedNote],
    system: CodeSystem | None = None,
    settings: Settings | None = None,
    compare: bool = False,
) -> Comparison:
    """Score the predictions of any number of systems.

    Notes are read once and not kept.

    Args:
        gold: The gold notes.
        predicted: Notes with the assigned codes, in any order, by the name of their system; or those of
            one system, which is then called `predictions`.
        system: Code system, which provides the hierarchy and the validity of codes. None loads the
            release of ICD-10-CM that comes with the package.
        settings: Settings of the evaluation.
        compare: Whether each pair of systems is compared.

    Raises:
        CclearnError: There are no gold notes, or two with the same id; or predictions belong to other
            notes or texts, or several to one note. The error lists all such notes.
    """
    settings = settings or Settings()
    system = CodeSystem.load() if system is None else system
    if not isinstance(predicted, Mapping):
        predicted = {"predictions": predicted}
    gold_notes = _read_gold(gold)
    aligned = _align_all(gold_notes, predicted)
    names = sorted(
        {code for note in gold_notes for code in note.codes}.union(
            *(note.codes for notes in aligned.values() for note in notes.predicted)
        )
    )
    labels = {name: labels_of(notes, among=names) for name, notes in aligned.items()}
    # All systems must have the same scores, so that they can be compared.
    decided = any(note.decisions for notes in aligned.values() for note in notes.predicted)
    edition = None
    if settings.edition_map is not None:
        codes = frozenset(code for note in gold_notes for code in note.codes)
        edition = GoldEdition(settings.edition_map, codes)
    tables = {
        name: _tables(aligned[name], labels[name], system, settings.training, decided, edition)
        for name in aligned
    }
    scores, differences = score_systems(
        tables, len(gold_notes), settings.draws, settings.seed, compare
    )
    confusions = {name: tuple(find_confusions(notes, system)) for name, notes in aligned.items()}
    evaluations = {
        name: Evaluation(
            notes=len(gold_notes),
            missing=aligned[name].missing,
            scores=scores[name],
            warnings=tuple(warnings_of(aligned[name], labels[name], system)),
            calibration=tuple(reliability_bins(aligned[name])),
            confusions=confusions[name],
            confusion_tree=tuple(confusion_tree(confusions[name], system, _IN_TREE)),
            codes=count_codes(aligned[name], system),
        )
        for name in aligned
    }
    warnings = [] if any(note.codes for note in gold_notes) else ["no note of the gold has a code"]
    warnings += gold_warnings(gold_notes, system)
    if edition is not None:
        warnings += edition.warnings(gold_notes, system)
    return Comparison(evaluations, differences, len(names), tuple(warnings))


def _read_gold(gold: Iterable[CodedNote]) -> list[ScoredNote]:
    notes = [scored_note(note) for note in gold]
    if not notes:
        raise CclearnError(
            "gold (notes = 0): there is nothing to score against. Name another file."
        )
    counts = Counter(note.id for note in notes)
    repeated = [identifier for identifier, count in counts.items() if count > 1]
    if repeated:
        raise CclearnError(
            f"gold (ids = {', '.join(map(shown_id, repeated[:5]))}): several notes have the"
            " same id. Keep one of each."
        )
    return notes


def _align_all(
    gold: list[ScoredNote], predicted: Mapping[str, Iterable[CodedNote]]
) -> dict[str, AlignedNotes]:
    aligned: dict[str, AlignedNotes] = {}
    problems: list[str] = []
    for name, notes in predicted.items():
        try:
            aligned[name] = align(gold, notes, name)
        except CclearnError as error:
            problems += error.lines
    if problems:
        raise ConfigurationError(problems)
    return aligned


def _tables(
    aligned: AlignedNotes,
    labels: Labels,
    system: CodeSystem,
    training: Mapping[str, int] | None,
    decided: bool,
    edition: GoldEdition | None,
) -> list[ScoreTable]:
    ratios = RatioTable(len(aligned.gold))
    groups = chapter_groups(labels, system)
    if training is not None:
        by_frequency = frequency_groups(labels, training)
        add_family_recall(ratios, aligned, labels, by_frequency, system)
        groups |= by_frequency
    add_grouped_scores(ratios, labels, groups)
    add_rates(ratios, aligned, system)
    if decided:
        add_decision_scores(ratios, aligned)
    add_plugin_scores(ratios, aligned, system)
    tables: list[ScoreTable] = [*_code_tables(aligned, labels, system), ratios]
    if edition is not None:
        mapped = edition.align(aligned)
        mapped_tables = _code_tables(mapped, labels_of(mapped, among=labels.names), system)
        tables += [PrefixedTable(table, "edition_map/") for table in mapped_tables]
    if any(note.codes for note in aligned.predicted) and all(
        note.scores is not None for note in aligned.predicted
    ):
        tables.append(AUCTable(aligned, labels))
    return tables


def _code_tables(aligned: AlignedNotes, labels: Labels, system: CodeSystem) -> list[ScoreTable]:
    """Return the tables with the scores of codes and of their evidence."""
    ratios = RatioTable(len(aligned.gold))
    by_label = add_code_scores(ratios, aligned, labels)
    add_hierarchical_scores(ratios, aligned, system)
    if any(note.spans for note in aligned.gold):
        add_evidence_scores(ratios, aligned)
    return [ratios, by_label]
