"""The rows of a run: read, chosen, encoded, mixed; the same in a dry run as in the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.errors import ConfigurationError
from cclearn.notes.contract import Grade
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.prompts.templates import RowKind
from cclearn.rows import (
    Contamination,
    EncodedRow,
    TrainingRow,
    capped,
    encode_rows,
    in_share,
    mix,
    read_source,
    shares_of,
    weighed,
)
from cclearn.rows.encode import Reports
from cclearn.training.recipe import Recipe, Rows, Source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a source that are trained on.

    Attributes:
        source: As the recipe names it.
        rows: In the file's order.
        read: How many rows the file has.
        contaminated: Ids of those that an evaluation holds.
        development: Rows that are not trained on: the loss on them is told.
    """

    source: Source
    rows: list[TrainingRow]
    read: int
    contaminated: list[str]
    development: list[TrainingRow]


@dataclass(frozen=True, slots=True)
class Share:
    """What an epoch holds of a source's rows of one kind and grade; repeated rows count repeatedly.

    Attributes:
        source: The file.
        kind: Of the rows.
        grade: Of the rows.
        rows: How many.
        tokens: Theirs.
        supervised_tokens: Those the loss is on.
    """

    source: Path
    kind: RowKind
    grade: Grade | None
    rows: int
    tokens: int
    supervised_tokens: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows of a run as tokens.

    Attributes:
        phases: One epoch of rows, shuffled; two where the spans come before the documents.
        shares: What it holds of each source, kind and grade.
        sources: What was chosen of each source.
        reports: What each source's encoded rows are, by kind and grade, each row counted once.
        development: Rows that the loss is told on.
    """

    phases: list[list[EncodedRow]]
    shares: list[Share]
    sources: list[Chosen]
    reports: list[Reports]
    development: list[EncodedRow]

    def described(self) -> list[dict[str, object]]:
        """Return the rows of each source, kind and grade, for a manifest."""
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


def choose_rows(recipe: Recipe, system: CodeSystem) -> list[Chosen]:
    """Read the sources that the recipe's order uses, and leave out what it does not want.

    Raises:
        DataError: A file is not what it should be.
        ConfigurationError: Nothing of a source is left.
    """
    contamination = _contamination(recipe.rows)
    found = []
    for source in recipe.rows.used:
        read = 0
        clean: list[TrainingRow] = []
        contaminated: list[str] = []
        development: list[TrainingRow] = []
        describe, template = recipe.rows.describe, recipe.rows.template
        for row in read_source(source.path, source.kind, system, describe, template):
            read += 1
            if contamination.holds(row):
                contaminated.append(row.id)
            elif in_share(_split_by(row), recipe.rows.development, recipe.seed):
                development.append(row)
            else:
                clean.append(row)
        rows = capped(
            weighed(clean, source.grades, recipe.seed),
            source.most,
            source.most_per_code,
            recipe.seed,
        )
        found.append(Chosen(source, rows, read, contaminated, development))
    _refuse_empty(
        [c.source for c in found if not c.rows], "no row of it is left. Name another file."
    )
    return found


def _split_by(row: TrainingRow) -> str:
    """Return what must not be on both sides of a split: a note, or a span's string."""
    return f"development {string_key(row.text) if row.note is None else row.id}"


def _contamination(rows: Rows) -> Contamination:
    notes = [file.path for file in rows.evaluation if file.kind == "document"]
    spans = [file.path for file in rows.evaluation if file.kind == "span"]
    return Contamination(
        (note for path in notes for note in read_coded_notes(path)),
        (pair for path in spans for pair in read_span_pairs(path)),
    )


def prepare(recipe: Recipe, chosen: list[Chosen], tokenizer: PreTrainedTokenizerBase) -> Prepared:
    """Encode and mix the chosen rows.

    Raises:
        ConfigurationError: Rows are too long, or none of a source is left.
    """
    rows, training = recipe.rows, recipe.training
    room = recipe.grpo.answer_length if recipe.grpo is not None else 0
    encoded: list[list[EncodedRow]] = []
    reports: list[Reports] = []
    problems: list[str] = []
    for c in chosen:
        try:
            found, report = encode_rows(c.rows, tokenizer, training.max_length, rows.overflow, room)
        except ConfigurationError as error:
            problems += [f"rows.sources (path = {c.source.path}): {p}" for p in error.problems]
            continue
        encoded.append(found)
        reports.append(report)
    if problems:
        raise ConfigurationError(problems)
    empty = [c.source for c, each in zip(chosen, encoded, strict=True) if not each]
    _refuse_empty(empty, "all of its rows are too long. Raise training.max_length.")
    kinds: list[tuple[str, ...]] = [("span", "document")]
    if rows.order == "span_then_document":
        kinds = [("span",), ("document",)]
    phases: list[list[EncodedRow]] = []
    counts: dict[tuple[int, Grade | None], list[int]] = {}
    for wanted in kinds:
        places = [place for place, c in enumerate(chosen) if c.source.kind in wanted]
        if not places:
            continue
        parts = [[(place, row) for row in encoded[place]] for place in places]
        shares = _shares(rows, [rows.used[place] for place in places], parts)
        epoch = mix(parts, shares, recipe.seed)
        for place, row in epoch:
            count = counts.setdefault((place, row.grade), [0, 0, 0])
            count[0] += 1
            count[1] += len(row.input_ids)
            count[2] += sum(row.completion_mask)
        phases.append([row for _, row in epoch])
    realised = [
        Share(rows.used[place].path, rows.used[place].kind, grade, *counts[place, grade])
        for place, grade in sorted(counts, key=str)
    ]
    held_out, _ = encode_rows(
        (row for c in chosen for row in c.development),
        tokenizer,
        training.max_length,
        rows.overflow,
    )
    if rows.development and not held_out:
        raise ConfigurationError(
            [f"rows.development ({rows.development}): no row falls into it. Raise it."]
        )
    return Prepared(phases, realised, chosen, reports, held_out)


def _shares(
    rows: Rows, sources: Sequence[Source], parts: Sequence[Sequence[object]]
) -> list[float] | None:
    given = [source.share for source in sources]
    mixing = rows.mixing or ("fixed_ratio" if all(given) else "concatenate")
    return shares_of([len(part) for part in parts], mixing, given, rows.temperature)


def _refuse_empty(sources: Sequence[Source], problem: str) -> None:
    if sources:
        raise ConfigurationError([f"rows.sources (path = {s.path}): {problem}" for s in sources])
