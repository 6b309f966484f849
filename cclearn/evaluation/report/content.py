"""What a report contains, independent of its format: its sections and the rows of its tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from cclearn.evaluation.bootstrap import Difference, Score
from cclearn.evaluation.bounds import BOUND_SCORES
from cclearn.evaluation.evaluate import Evaluation
from cclearn.evaluation.lm_eval.retention import RetentionScore
from cclearn.evaluation.metrics.code_counts import CodeCount
from cclearn.evaluation.report.confusion import Confusion, ConfusionBranch
from cclearn.evaluation.report.cost import Cost, cost_rows
from cclearn.evaluation.results import Result
from cclearn.notes import CodedNote

SHOWN: tuple[tuple[str, str], ...] = (
    ("micro_f1", "micro F1"),
    ("micro_precision", "micro precision"),
    ("micro_recall", "micro recall"),
    ("macro_f1", "macro F1, codes of the gold"),
    ("macro_any_f1", "macro F1, codes of either"),
    ("exact_match", "exact match"),
    ("category_f1", "category micro F1"),
    ("edition_map/micro_f1", "micro F1, edition map"),
    ("edition_map/macro_f1", "macro F1, codes of the gold, edition map"),
    ("edition_map/category_f1", "category micro F1, edition map"),
    ("evidence_span_f1", "evidence F1, exact spans"),
    ("evidence_token_f1", "evidence F1, tokens"),
    ("unseen/micro_recall", "recall, unseen codes"),
    ("decision/accept/right", "precision, accepted codes"),
    ("decision/accept/share", "share accepted"),
    ("decision/reject/right", "right among rejected"),
    ("accuracy", "accuracy of the first code"),
    ("top_5", "right code among the first 5"),
    ("category_accuracy", "category accuracy"),
    ("seen/accuracy", "accuracy, seen codes"),
    ("unseen/accuracy", "accuracy, unseen codes"),
    ("grade/gold/accuracy", "accuracy, gold spans"),
    ("grade/silver/accuracy", "accuracy, silver spans"),
    ("grade/synthetic/accuracy", "accuracy, synthetic spans"),
    ("invalid_rate", "invalid rate"),
    ("ungrounded_rate", "ungrounded rate"),
)
"""Scores that tables show if they are defined, with their headings."""


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report.

    Attributes:
        title: Heading of the report.
        introduction: Paragraphs below the heading.
        evaluations: Scores by system.
        differences: Differences by pair of systems and by score.
        costs: Cost by system.
        retained: Scores of general tasks before and after tuning.
        bounds: Scores of systems that bound those of others (`cclearn.evaluation.bounds`).
        gold: Notes that the HTML report shows with their gold codes. They must be empty unless the
            reader may see the notes.
        predicted: The same notes with the assigned codes, by system and id.
    """

    title: str
    introduction: Sequence[str]
    evaluations: Mapping[str, Evaluation]
    differences: Mapping[tuple[str, str], Mapping[str, Difference]] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)
    retained: Sequence[RetentionScore] = ()
    bounds: Mapping[str, Evaluation] = field(default_factory=dict)
    gold: Sequence[CodedNote] = ()
    predicted: Mapping[str, Mapping[str, CodedNote]] = field(default_factory=dict)

    @property
    def score_tables(self) -> list[TableSection]:
        """The tables of scores, of differences and of costs."""
        tables = [TableSection(None, ["", *self.evaluations], score_rows(self.evaluations))]
        for (one, two), scores in self.differences.items():
            heading = f"{one} less {two}"
            tables.append(TableSection(heading, _DIFFERENCE_HEAD, difference_rows(scores)))
        if self.bounds:
            tables.append(
                TableSection("Bounds", ["", *self.bounds], score_rows(self.bounds, BOUND_SCORES))
            )
        if self.costs:
            tables.append(TableSection("Cost", ["", *self.costs], cost_rows(self.costs)))
        return tables

    @property
    def code_tables(self) -> list[TableSection]:
        """The codes that each system missed and invented most often."""
        tables = []
        for name, evaluation in self.evaluations.items():
            for heading, count in _CODE_TABLES.items():
                codes = sorted(evaluation.codes, key=lambda c: (-count(c), c.code))[:_CODES]
                rows = [code_row(code) for code in codes if count(code)]
                if rows:
                    tables.append(TableSection(f"{heading}: {name}", _CODE_HEAD, rows))
        return tables

    @property
    def trees(self) -> list[TreeSection]:
        """The confusion trees of the systems that have one."""
        return [
            TreeSection(f"Taken for a sibling or cousin: {name}", evaluation.confusion_tree)
            for name, evaluation in self.evaluations.items()
            if evaluation.confusion_tree
        ]

    @property
    def retention_tables(self) -> list[TableSection]:
        """The table of scores before and after tuning; empty if there are none."""
        if not self.retained:
            return []
        rows = _retention_rows(self.retained)
        return [TableSection("Before and after tuning", _RETENTION_HEAD, rows)]


@dataclass(frozen=True, slots=True)
class TableSection:
    """A table of a report.

    Attributes:
        heading: Heading of the section; None for the first table, below the introduction.
        head: Headings of the columns.
        rows: Cells of each row.
    """

    heading: str | None
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class TreeSection:
    """A confusion tree of a report.

    Attributes:
        heading: Heading of the section.
        branches: Branches of the tree.
    """

    heading: str
    branches: Sequence[ConfusionBranch]


_DIFFERENCE_HEAD = ["score", "difference (95 %)", "p, bootstrap", "p, randomisation"]

_CODES = 15
"""Maximum number of codes in a table of missed or invented codes."""

_CODE_HEAD = ["code", "right", "missed", "invented"]

_CODE_TABLES: dict[str, Callable[[CodeCount], int]] = {
    "Most often missed": attrgetter("missed"),
    "Most often invented": attrgetter("invented"),
}

_RETENTION_HEAD = ["task", "metric", "before", "after"]


def score_rows(
    evaluations: Mapping[str, Evaluation], only: Collection[str] = ()
) -> list[list[str]]:
    """Return a row for each score: its heading, and the value of each system with its interval.

    Args:
        evaluations: Scores of the systems by name.
        only: Names of the scores to return, empty for all that tables show.
    """
    rows = []
    for name, heading in SHOWN:
        if only and name not in only:
            continue
        scores = [evaluation.scores.get(name, Score(None)) for evaluation in evaluations.values()]
        if any(score.value is not None for score in scores):
            rows.append([heading, *map(format_score, scores)])
    return rows


def bound_values(bounds: Mapping[str, Evaluation]) -> dict[str, dict[str, float | None]]:
    """Return the scores of each bound for the result file."""
    return {
        name: {s: evaluation.scores.get(s, Score(None)).value for s in BOUND_SCORES}
        for name, evaluation in bounds.items()
    }


def difference_rows(differences: Mapping[str, Difference]) -> list[list[str]]:
    """Return a row for each score that two systems have: its heading, the difference with its interval,
    and the p-values of the bootstrap and of the randomisation."""
    rows = []
    for name, heading in SHOWN:
        found = differences.get(name)
        if found is None or found.value is None or found.low is None or found.high is None:
            continue
        difference = f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
        probabilities = (found.p_bootstrap, found.p_randomisation)
        rows.append(
            [heading, difference, *("–" if p is None else f"{p:.3f}" for p in probabilities)]
        )
    return rows


def format_score(score: Score) -> str:
    """Return a score with its 95 % interval as text: `0.826 (0.791–0.863)`."""
    if score.value is None:
        return "–"
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ({score.low:.3f}–{score.high:.3f})"


def _retention_rows(retained: Sequence[RetentionScore]) -> list[list[str]]:
    def text(value: float, error: float | None) -> str:
        return f"{value:.3f}" + ("" if error is None else f" ± {error:.3f}")

    return [
        [r.task, r.metric, text(r.before, r.before_error), text(r.after, r.after_error)]
        for r in retained
    ]


def code_row(count: CodeCount) -> list[str]:
    """Return the cells of a code: the code with its title, and its counts."""
    counts = (count.right, count.missed, count.invented)
    return [f"{count.code} {count.title}".strip(), *map(str, counts)]


def format_confusion(confusion: Confusion) -> str:
    """Return a confusion as text: `I50.9 Heart failure, unspecified, taken for I50.1 …: 3 notes`."""
    missed = f"{confusion.missed} {confusion.missed_title}"
    predicted = f"{confusion.predicted} {confusion.predicted_title}"
    return f"{missed}, taken for {predicted}: {format_notes(confusion.notes)}"


def format_notes(count: int) -> str:
    """Return a number of notes as text."""
    return f"{count} note" if count == 1 else f"{count} notes"


def introduction(result: Result, unit: str = "notes") -> list[str]:
    """Return the paragraphs that begin a report: what was run, the label space, and the warnings.

    Args:
        result: The result that the report shows.
        unit: Name of what was scored, in the plural.
    """
    system, space = result.code_system, result.label_space
    count = max(scores.notes_asked for scores in result.systems.values())
    draws = result.bootstrap["draws"]
    lines = [
        f"{count:,} {unit}. Any of the {space['billable']:,} billable codes of {system.name}"
        f" {system.release} may be assigned; gold and predictions hold"
        f" {space['in_gold_or_predictions']:,}. "
        + (
            f"Intervals are 95 %, of {draws:,.0f} bootstrap draws over {unit}."
            if draws
            else "There are no intervals: no draws were asked for."
        )
    ]
    benchmark = result.described.get("benchmark")
    if benchmark:
        options = {**benchmark["options"], "shots": benchmark["shots"], "limit": benchmark["limit"]}
        values = ", ".join(f"{key} {value}" for key, value in options.items() if value is not None)
        lines.append(f"Benchmark {benchmark['name']}: {values}.")
    lines += [f"{warning}." for warning in result.warnings]
    for name, scores in result.systems.items():
        lines += [f"{name}: {warning}." for warning in scores.warnings]
    return lines
