"""The rows of a run, encoded and mixed; the same in a dry run as in the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError
from cclearn.notes.contract import Grade
from cclearn.prompts.templates import RowKind
from cclearn.rows import EncodedRow, encode_rows, epoch_shares, mix
from cclearn.rows.encode import Reports
from cclearn.training.choose import Chosen, refuse_empty
from cclearn.training.recipe import Recipe, Rows, RowSourceSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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

    def contaminated(self) -> dict[str, list[str]]:
        """Return the ids that an evaluation holds, by file; two sources may share one."""
        found: dict[str, dict[str, None]] = {}
        for chosen in self.sources:
            found.setdefault(str(chosen.source.path), {}).update(dict.fromkeys(chosen.contaminated))
        return {path: list(ids) for path, ids in found.items()}


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
    refuse_empty(empty, "all of its rows are too long. Raise training.max_length.")
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
    rows: Rows, sources: Sequence[RowSourceSettings], parts: Sequence[Sequence[object]]
) -> list[float] | None:
    given = [source.share for source in sources]
    mixing = rows.mixing or ("fixed_ratio" if all(given) else "concatenate")
    return epoch_shares([len(part) for part in parts], mixing, given, rows.temperature)
