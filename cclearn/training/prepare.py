"""Encoding and mixing of the rows of a run, which a dry run and the run itself share."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.contract import Grade
from cclearn.prompts.templates import RowKind
from cclearn.rows import (
    EncodedRow,
    TrainingRow,
    encode_rows,
    epoch_shares,
    limit_rows,
    mix,
    source_repeats,
)
from cclearn.rows.encode import Reports
from cclearn.rows.labelled import encode_labelled_rows
from cclearn.training.choose import ChosenRows, refuse_empty
from cclearn.training.recipe import Recipe
from cclearn.training.row_settings import Rows, RowSourceSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


Encode = Callable[[Iterable[TrainingRow]], tuple[list[EncodedRow], Reports]]


@dataclass(frozen=True, slots=True)
class EpochRows:
    """Counts of the rows of one source, kind and grade in an epoch. A repeated row counts repeatedly.

    Attributes:
        source: Path of the row file.
        kind: Kind of the rows.
        grade: Grade of the rows, or None for notes.
        rows: Number of rows.
        distinct: Number of rows, each counted once.
        tokens: Number of tokens of the rows.
        supervised_tokens: Number of tokens that contribute to the loss.
    """

    source: Path
    kind: RowKind
    grade: Grade | None
    rows: int
    distinct: int
    tokens: int
    supervised_tokens: int


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """The encoded rows of a run.

    Attributes:
        phases: Shuffled rows of one epoch, one list for each phase. There are two phases if the span
            rows precede the document rows.
        epoch_rows: Counts of the rows of each source, kind and grade in the epoch.
        sources: Chosen rows of each source.
        reports: Counts of each source's encoded rows by kind and grade. Each row counts once.
        development: Rows that are not trained on, and on which the loss is evaluated.
    """

    phases: list[list[EncodedRow]]
    epoch_rows: list[EpochRows]
    sources: list[ChosenRows]
    reports: list[Reports]
    development: list[EncodedRow]

    def describe_rows(self) -> list[dict[str, object]]:
        """Return the counts of each source, kind and grade for the manifest."""
        return [
            {
                "source": str(chosen.source.path),
                "kind": kind,
                "grade": grade,
                "invalid_codes": {
                    "dropped": chosen.check.dropped,
                    "replaced": chosen.check.replaced,
                },
                "uncited": {
                    "codes": chosen.check.uncited,
                    "notes": chosen.check.uncited_notes,
                },
                "origins": sorted({row.origin for row in chosen.rows if row.grade == grade}),
                **report.as_dict(),
            }
            for chosen, reports in zip(self.sources, self.reports, strict=True)
            for (kind, grade), report in reports.items()
        ]

    def contaminated_ids(self) -> dict[str, list[str]]:
        """Return the ids of the rows that occur in an evaluation, by path. Sources may share a path."""
        found: dict[str, dict[str, None]] = {}
        for chosen in self.sources:
            found.setdefault(str(chosen.source.path), {}).update(dict.fromkeys(chosen.contaminated))
        return {path: list(ids) for path, ids in found.items()}


def prepare_rows(
    recipe: Recipe,
    chosen: list[ChosenRows],
    tokenizer: PreTrainedTokenizerBase,
    labels: Container[str] | None = None,
) -> PreparedRows:
    """Encode and mix the chosen rows.

    Args:
        recipe: Recipe of the run.
        chosen: Chosen rows of each source.
        tokenizer: Tokenizer of the model.
        labels: Codes that a discriminative coder scores. None for a language model.

    Raises:
        ConfigurationError: Rows are too long, or no row of a source is left.
    """
    rows = recipe.rows
    encode = _row_encoder(recipe, tokenizer, labels)
    encoded, reports = _encode(chosen, encode)
    kinds: list[tuple[str, ...]] = [("span", "document")]
    if rows.order == "span_then_document":
        kinds = [("span",), ("document",)]
    # The shares are those of the whole epoch, in either order.
    repeats = _repeats(rows, encoded)
    phases: list[list[EncodedRow]] = []
    counts: dict[tuple[int, Grade | None], _Count] = {}  # By the index of the source and the grade.
    for phase_kinds in kinds:
        sources = [source for source, c in enumerate(chosen) if c.source.kind in phase_kinds]
        if not sources:
            continue
        parts = [[(source, row) for row in encoded[source]] for source in sources]
        epoch = mix(parts, [repeats[source] for source in sources], recipe.seed)
        for source, row in epoch:
            count = counts.setdefault((source, row.grade), _Count())
            count.add(row)
        phases.append([row for _, row in epoch])
    epoch_rows = [
        counts[source, grade].of(rows.used[source], grade)
        for source, grade in sorted(counts, key=str)
    ]
    development = _development_rows(recipe, chosen, encode)
    return PreparedRows(phases, epoch_rows, chosen, reports, development)


def _row_encoder(
    recipe: Recipe, tokenizer: PreTrainedTokenizerBase, labels: Container[str] | None
) -> Encode:
    """Return the function that encodes rows as prompts and answers, or as texts and labels."""
    length, overflow = recipe.training.max_length, recipe.rows.overflow
    if labels is not None:
        return lambda rows: encode_labelled_rows(rows, tokenizer, length, overflow, labels)
    answer_length = recipe.grpo.answer_length if recipe.grpo is not None else None
    return lambda rows: encode_rows(rows, tokenizer, length, overflow, answer_length)


def _development_rows(recipe: Recipe, chosen: list[ChosenRows], encode: Encode) -> list[EncodedRow]:
    """Return the encoded development rows, at most a given number of each kind.

    Raises:
        ConfigurationError: There are none, although the recipe asks for them.
    """
    settings = recipe.development
    if settings is None:
        return []
    rows: list[TrainingRow] = []
    for kind in ("span", "document"):
        of_kind = [row for c in chosen if c.source.kind == kind for row in c.development]
        rows += limit_rows(of_kind, settings.most, None, recipe.seed)
    encoded, _ = encode(rows)
    if not encoded:
        raise ConfigurationError(
            [
                f"development.share ({settings.share}): it selects no row. Increase it."
                if settings.path is None
                else f"development.path ({settings.path}): it has no row that can be evaluated, for"
                " example because no code of it is scored. Name another file."
            ]
        )
    return encoded


def development_notes(recipe: Recipe, chosen: list[ChosenRows]) -> list[CodedNote]:
    """Return the development notes that the model codes during the run.

    Args:
        recipe: Recipe of the run.
        chosen: Chosen rows of each source.

    Raises:
        ConfigurationError: There are none, although the recipe asks for them.
    """
    settings = recipe.development
    if settings is None or not settings.notes:
        return []
    rows = [row for c in chosen if c.source.kind == "document" for row in c.development]
    kept = limit_rows(rows, min(settings.notes, settings.most), None, recipe.seed)
    notes = [row.note for row in kept if row.note is not None]
    if not notes:
        raise ConfigurationError(
            [
                f"development.notes ({settings.notes}): no document row is left out of the training."
                " Increase development.share, or set development.notes=0."
            ]
        )
    return notes


def _encode(
    chosen: list[ChosenRows], encode: Encode
) -> tuple[list[list[EncodedRow]], list[Reports]]:
    """Return the encoded rows of each source and their counts.

    Raises:
        ConfigurationError: Rows are too long or have an empty completion, or no row of a source is left.
            The problems of all sources are reported together.
    """
    encoded: list[list[EncodedRow]] = []
    reports: list[Reports] = []
    problems: list[str] = []
    for c in chosen:
        try:
            rows, report = encode(c.rows)
        except ConfigurationError as error:
            problems += [f"rows.sources (path = {c.source.path}): {p}" for p in error.problems]
            continue
        encoded.append(rows)
        reports.append(report)
    if problems:
        raise ConfigurationError(problems)
    limits = "training.max_length"
    if any(report.long_answers for found in reports for report in found.values()):
        limits += " or grpo.answer_length"
    empty = [c.source for c, rows in zip(chosen, encoded, strict=True) if not rows]
    if any(report.unlabelled for found in reports for report in found.values()):
        refuse_empty(empty, "the model scores none of its codes. Change baseline.labels.")
    refuse_empty(empty, f"all of its rows are too long. Increase {limits}.")
    return encoded, reports


@dataclass(slots=True)
class _Count:
    """Counts of the rows of an epoch while they are added."""

    rows: int = 0
    ids: set[str] = field(default_factory=set)
    tokens: int = 0
    supervised: int = 0

    def add(self, row: EncodedRow) -> None:
        self.rows += 1
        self.ids.add(row.id)
        self.tokens += len(row.input_ids)
        self.supervised += sum(row.completion_mask)

    def of(self, source: RowSourceSettings, grade: Grade | None) -> EpochRows:
        """Return the counts as those of the rows of a source and a grade."""
        return EpochRows(
            source.path, source.kind, grade, self.rows, len(self.ids), self.tokens, self.supervised
        )


def _repeats(rows: Rows, encoded: Sequence[Sequence[EncodedRow]]) -> list[float]:
    """Return how often the rows of each source occur in an epoch.

    Args:
        rows: Settings of the rows.
        encoded: Encoded rows of all sources.
    """
    settings = rows.used
    sizes = [sum(len(row.input_ids) for row in part) for part in encoded]
    given = [source.share for source in settings]
    mixing = rows.mixing or ("fixed_ratio" if all(given) else "concatenate")
    shares = epoch_shares(sizes, mixing, given, rows.temperature)
    return source_repeats(sizes, shares, [source.repeats for source in settings])
