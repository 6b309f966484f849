"""Encoding and mixing of the rows of a run, which a dry run and the run itself share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError
from cclearn.notes.contract import Grade
from cclearn.prompts.templates import RowKind
from cclearn.rows import EncodedRow, encode_rows, epoch_shares, mix
from cclearn.rows.encode import Overflow, Reports
from cclearn.training.choose import ChosenRows, refuse_empty
from cclearn.training.recipe import Recipe
from cclearn.training.row_settings import Rows, RowSourceSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class EpochRows:
    """Counts of the rows of one source, kind and grade in an epoch. A repeated row counts repeatedly.

    Attributes:
        source: Path of the row file.
        kind: Kind of the rows.
        grade: Grade of the rows, or None for notes.
        rows: Number of rows.
        tokens: Number of tokens of the rows.
        supervised_tokens: Number of tokens that contribute to the loss.
    """

    source: Path
    kind: RowKind
    grade: Grade | None
    rows: int
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
    recipe: Recipe, chosen: list[ChosenRows], tokenizer: PreTrainedTokenizerBase
) -> PreparedRows:
    """Encode and mix the chosen rows.

    Args:
        recipe: Recipe of the run.
        chosen: Chosen rows of each source.
        tokenizer: Tokenizer of the model.

    Raises:
        ConfigurationError: Rows are too long, or all rows of a source are.
    """
    rows, training = recipe.rows, recipe.training
    answer_length = recipe.grpo.answer_length if recipe.grpo is not None else 0
    encoded, reports = _encode(chosen, tokenizer, training.max_length, rows.overflow, answer_length)
    kinds: list[tuple[str, ...]] = [("span", "document")]
    if rows.order == "span_then_document":
        kinds = [("span",), ("document",)]
    phases: list[list[EncodedRow]] = []
    # Number of rows, of tokens and of supervised tokens, by the index of the source and the grade.
    counts: dict[tuple[int, Grade | None], list[int]] = {}
    for phase_kinds in kinds:
        sources = [source for source, c in enumerate(chosen) if c.source.kind in phase_kinds]
        if not sources:
            continue
        parts = [[(source, row) for row in encoded[source]] for source in sources]
        shares = _shares(rows, [rows.used[source] for source in sources], parts)
        epoch = mix(parts, shares, recipe.seed)
        for source, row in epoch:
            count = counts.setdefault((source, row.grade), [0, 0, 0])
            count[0] += 1
            count[1] += len(row.input_ids)
            count[2] += sum(row.completion_mask)
        phases.append([row for _, row in epoch])
    epoch_rows = [
        EpochRows(rows.used[source].path, rows.used[source].kind, grade, *counts[source, grade])
        for source, grade in sorted(counts, key=str)
    ]
    development, _ = encode_rows(
        (row for c in chosen for row in c.development),
        tokenizer,
        training.max_length,
        rows.overflow,
    )
    if rows.development and not development:
        raise ConfigurationError(
            [f"rows.development ({rows.development}): it selects no row. Increase it."]
        )
    return PreparedRows(phases, epoch_rows, chosen, reports, development)


def _encode(
    chosen: list[ChosenRows],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    overflow: Overflow,
    answer_length: int,
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
            rows, report = encode_rows(c.rows, tokenizer, max_length, overflow, answer_length)
        except ConfigurationError as error:
            problems += [f"rows.sources (path = {c.source.path}): {p}" for p in error.problems]
            continue
        encoded.append(rows)
        reports.append(report)
    if problems:
        raise ConfigurationError(problems)
    empty = [c.source for c, rows in zip(chosen, encoded, strict=True) if not rows]
    refuse_empty(empty, "all of its rows are too long. Increase training.max_length.")
    return encoded, reports


def _shares(
    rows: Rows, sources: Sequence[RowSourceSettings], parts: Sequence[Sequence[object]]
) -> list[float] | None:
    """Return the share of each source in the mix, or None to concatenate the sources."""
    given = [source.share for source in sources]
    mixing = rows.mixing or ("fixed_ratio" if all(given) else "concatenate")
    return epoch_shares([len(part) for part in parts], mixing, given, rows.temperature)
