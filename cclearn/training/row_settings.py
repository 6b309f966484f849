"""The section of a recipe that selects the rows of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cclearn.notes.contract import Grade
from cclearn.notes.sections import Unit
from cclearn.prompts.layout import Template
from cclearn.prompts.templates import RowKind
from cclearn.rows.checked_codes import InvalidCodes, UncitedCodes
from cclearn.rows.encode import Overflow
from cclearn.rows.mixture import Mixing
from cclearn.training.recipe_section import RecipeSection

Order = Literal["mixed", "span_then_document", "document_only", "span_only"]


class RowSourceSettings(RecipeSection):
    """A file of rows, and how many of its rows are used.

    The rows that are kept depend only on their ids and the seed.

    Attributes:
        kind: Kind of the rows that are made from the file.
        path: Path of the file, or of a folder of a builder or of `cclearn review export`, whose
            `notes.jsonl` or `pairs.jsonl` is read.
        share: Share of the tokens of an epoch that come from this file.
        repeats: How often each row occurs in an epoch. If the sources have shares, it is the largest
            number, and None is 4. Otherwise it is the exact number, and None is 1.
        grades: How often a pair of each grade is used: 0.5 keeps half of the pairs, 2 uses each twice, 0
            drops all. Grades that are not listed count as 1.
        most: Maximum number of rows.
        most_per_code: Maximum number of span rows for one code.
        segments: Unit of the document rows, if a note is split into sentences or sections.
        empty: Share of the segments without evidence that are kept. Their answer is `none`.
        negatives: Maximum number of spans per note that are not evidence and become rows with the answer
            `none` (`cclearn.rows.negatives`). If it is set for a source of span rows, the file contains
            coded notes, and each piece of evidence is a row too.
        development: Whether rows of the file may become development rows. False trains on all of them,
            for example on synthetic notes.
    """

    kind: RowKind
    path: Path
    share: float | None = Field(default=None, gt=0, le=1)
    repeats: float | None = Field(default=None, gt=0)
    grades: dict[Grade, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    most: int | None = Field(default=None, gt=0)
    most_per_code: int | None = Field(default=None, gt=0)
    segments: Unit | None = None
    empty: float = Field(default=1.0, ge=0, le=1)
    negatives: int | None = Field(default=None, ge=0)
    development: bool = True

    @model_validator(mode="before")
    @classmethod
    def _folder_has_the_file(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or not isinstance(fields.get("path"), str | Path):
            return fields
        path = Path(fields["path"])
        is_pairs = fields.get("kind") == "span" and fields.get("negatives") is None
        file = path / ("pairs.jsonl" if is_pairs else "notes.jsonl")
        return {**fields, "path": file} if path.is_dir() and file.is_file() else fields

    @model_validator(mode="after")
    def _settings_match_the_kind(self) -> Self:
        problems = []
        if self.kind == "document" and (self.grades or self.most_per_code):
            problems.append("grades and most_per_code are for span rows: a note has no grade")
        if self.kind == "document" and self.negatives is not None:
            problems.append(
                "negatives are span rows: set them for a source of kind span whose file contains notes"
            )
        if self.kind == "span" and self.segments:
            problems.append("segments are parts of notes: a source of kind span has none")
        if self.negatives is not None and self.grades:
            problems.append("grades are for span pairs: with negatives the file contains notes")
        if self.empty != 1 and not self.segments:
            problems.append("empty requires segments: set segments to sentence or section")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def file_kind(self) -> RowKind:
        """Kind of the file's content: notes (`document`) or span pairs (`span`)."""
        return self.kind if self.negatives is None else "document"


class EvaluationSettings(RecipeSection):
    """A file that the model will be evaluated on. None of its content is used for training.

    Attributes:
        kind: Kind of the file's content: notes (`document`) or span pairs (`span`).
        path: Path of the file.
    """

    kind: RowKind
    path: Path


class Rows(RecipeSection):
    """The rows that the model is trained on.

    Attributes:
        sources: Files of rows.
        template: Layout of the answers (`cclearn.prompts.layout`).
        order: `mixed` shuffles both kinds of rows together. `span_then_document` has all span rows
            before all document rows. The others use only one kind of rows.
        mixing: Strategy that determines how often the rows of each source occur in an epoch
            (`cclearn.rows.mixture`). None is `fixed_ratio` if the sources have shares, and `concatenate`
            otherwise.
        temperature: Temperature of proportional mixing.
        overflow: Handling of a row that is longer than the context (`cclearn.rows.encode`).
        spans_per_row: Largest number of spans that share the instruction of a span row
            (`cclearn.rows.joining`). Development rows have one span each.
        describe: Whether the answer of a span row continues with the description of the code.
        invalid: What is done about codes that are not billable in the release: `raise` refuses them,
            `drop` leaves them out, and `unspecified` replaces a header by its unspecified child and
            leaves out the others. A note of which no code is left is left out.
        uncited: What is done about codes of notes that have no evidence: `raise` refuses them,
            `drop_code` leaves them out, and `drop_note` leaves out their notes. `answer_only` trains on
            lists of codes, and requires the layout `codes`, which needs no evidence.
        evaluation: Files of the evaluation. Rows that occur in them are dropped
            (`cclearn.rows.selection.Contamination`).
    """

    sources: tuple[RowSourceSettings, ...] = Field(min_length=1)
    template: Template = "paired"
    order: Order = "mixed"
    mixing: Mixing | None = None
    temperature: float = Field(default=1.0, ge=1)
    overflow: Overflow = "raise"
    spans_per_row: int = Field(default=1, gt=0)
    describe: bool = True
    invalid: InvalidCodes = "raise"
    uncited: UncitedCodes = "raise"
    evaluation: tuple[EvaluationSettings, ...] = ()

    @model_validator(mode="after")
    def _shares_match_the_mixing(self) -> Self:
        sources = self.used
        if not sources:
            raise ValueError(f"order: {self.order} leaves no source")
        given = [source.share is not None for source in sources]
        if any(given) and not all(given):
            raise ValueError("sources: give every source a share, or none")
        if self.mixing == "fixed_ratio" and not any(given):
            raise ValueError("mixing: fixed_ratio needs a share of every source")
        if self.mixing not in (None, "fixed_ratio") and any(given):
            raise ValueError(f"mixing: {self.mixing} takes no shares")
        if self.order == "span_then_document" and len({source.kind for source in sources}) < 2:
            raise ValueError("order: span_then_document needs sources of both kinds")
        if self.temperature != 1 and self.mixing != "proportional":
            raise ValueError("temperature: it requires mixing: proportional")
        return self

    @model_validator(mode="after")
    def _layout_has_the_evidence(self) -> Self:
        if (self.uncited == "answer_only") != (self.template == "codes"):
            raise ValueError(
                "uncited: answer_only trains on lists of codes, which is the layout codes: set template:"
                " codes and uncited: answer_only together, or neither"
            )
        if self.template == "codes":
            divided = [s.path for s in self.used if s.segments or s.negatives is not None]
            if divided:
                raise ValueError(
                    "template: in the layout codes, nobody knows which part of a note a code belongs"
                    f" to: leave out segments and negatives ({divided[0]})"
                )
            if self.overflow == "window":
                raise ValueError(
                    "overflow: in the layout codes, nobody knows which window of a note a code belongs"
                    " to: set overflow to raise or drop"
                )
        return self

    @property
    def used(self) -> tuple[RowSourceSettings, ...]:
        """Sources whose rows the order uses."""
        kind = {"document_only": "document", "span_only": "span"}.get(self.order)
        return tuple(source for source in self.sources if kind in (None, source.kind))

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of all files that the run reads."""
        return tuple([*(s.path for s in self.used), *(e.path for e in self.evaluation)])
