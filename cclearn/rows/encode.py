"""Encoding of training rows as tokens, and handling of rows that are too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cclearn.errors import ConfigurationError, shown_id
from cclearn.notes import CodedNote
from cclearn.notes.contract import Grade
from cclearn.notes.windows import TooLongError
from cclearn.prompts.encoding import encode_completion, encode_prompt
from cclearn.prompts.templates import RowKind
from cclearn.rows.build import TrainingRow, document_row
from cclearn.rows.windows import note_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Overflow = Literal["raise", "drop", "window", "cut"]
"""Handling of a row that is longer than the context.

- `raise`: Stop the run.
- `drop`: Omit the row and count it.
- `window`: Split a note into windows that keep every piece of evidence whole (`cclearn.rows.windows`).
  Omit a span, a piece of evidence or a word that fits into no window, and count it.
- `cut`: Leave out the end of a note, and count it. It is for models that score labels
  (`cclearn.rows.labelled`), which learn no answer that would be cut.
"""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A training row as tokens.

    Attributes:
        id: Identifier of the row.
        kind: Kind of the row, `span` or `document`.
        input_ids: Tokens of the prompt followed by those of the completion.
        completion_mask: List of the same length as `input_ids`, with 1 for each token of the completion
            and 0 for each token of the prompt.
        grade: Grade of the span pair, None for a row that was made from a note.
        codes: Codes of the text, for a model that scores labels; None for a language model.
    """

    id: str
    kind: RowKind
    input_ids: list[int]
    completion_mask: list[int]
    grade: Grade | None = None
    codes: tuple[str, ...] | None = None


@dataclass(slots=True)
class LengthReport:
    """Counts of encoded rows and their tokens.

    Attributes:
        rows: Number of rows that are trained on.
        tokens: Number of tokens of these rows.
        supervised_tokens: Number of tokens that the loss is computed on.
        lengths: Number of rows by their length in tokens.
        dropped: Ids of rows that were left out because they are longer than the context.
        long_answers: Ids of rows that were left out because their answers are longer than a model may
            generate.
        windowed: Ids of notes that were split into windows.
        omitted: Parts of notes that fit into no window, each as the id of the note and the offsets.
        cut: Ids of notes whose end was left out.
        unlabelled: Ids of rows that were left out because the model scores none of their codes.
    """

    rows: int = 0
    tokens: int = 0
    supervised_tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)
    long_answers: list[str] = field(default_factory=list)
    windowed: list[str] = field(default_factory=list)
    omitted: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)

    def add(self, row: EncodedRow) -> None:
        """Count a row."""
        self.rows += 1
        self.tokens += len(row.input_ids)
        self.supervised_tokens += sum(row.completion_mask)
        self.lengths[len(row.input_ids)] += 1

    def as_dict(self) -> dict[str, object]:
        """Return the report for a manifest."""
        return {
            "rows": self.rows,
            "tokens": self.tokens,
            "supervised_tokens": self.supervised_tokens,
            "longest": max(self.lengths, default=0),
            "dropped": list(self.dropped),
            "long_answers": list(self.long_answers),
            "windowed": list(self.windowed),
            "omitted": list(self.omitted),
            "cut": list(self.cut),
            "unlabelled": list(self.unlabelled),
        }


Reports = dict[tuple[RowKind, Grade | None], LengthReport]
"""Reports by the kind and the grade of rows."""


def encode_rows(
    rows: Iterable[TrainingRow],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    overflow: Overflow = "raise",
    answer_length: int | None = None,
) -> tuple[list[EncodedRow], Reports]:
    """Encode training rows. No row is truncated.

    Args:
        rows: Training rows.
        tokenizer: Tokenizer whose chat template renders the messages.
        max_length: Context length in tokens.
        overflow: Handling of longer rows, any but `cut`.
        answer_length: Largest number of tokens of an answer that the model generates in training. The
            context must have room for as many, and a row whose own answer is longer is too long. None
            if the model generates no answers.

    Returns:
        Encoded rows, and reports by kind and grade.

    Raises:
        ConfigurationError: Rows or answers are too long and may not be left out, or rows have an empty
            completion. All such rows are reported together.
    """
    encoded: list[EncodedRow] = []
    reports: Reports = {}
    too_long: list[tuple[str, int]] = []
    long_answers: list[tuple[str, int]] = []
    unsupervised: list[str] = []
    for row in rows:
        report = reports.setdefault((row.kind, row.grade), LengthReport())
        encoded_row = _encode_row(row, tokenizer)
        prompt_length = encoded_row.completion_mask.count(0)
        own_answer_length = len(encoded_row.input_ids) - prompt_length
        length = max(len(encoded_row.input_ids), prompt_length + (answer_length or 0))
        if not row.completion.strip():
            unsupervised.append(row.id)
        elif answer_length is not None and own_answer_length > answer_length:
            if overflow == "drop":
                report.long_answers.append(row.id)
            else:
                long_answers.append((row.id, own_answer_length))
        elif length <= max_length:
            encoded.append(encoded_row)
            report.add(encoded_row)
        elif overflow == "raise":
            too_long.append((row.id, length))
        elif overflow == "window" and (
            windows := _encode_windows(row, tokenizer, max_length, report)
        ):
            report.windowed.append(row.id)
            for window in windows:
                encoded.append(window)
                report.add(window)
        else:
            report.dropped.append(row.id)
    problems = []
    if unsupervised:
        problems.append(
            f"rows (ids = {_first_ids(unsupervised)}): the completion is empty, so nothing would be"
            " learnt. Remove these rows."
        )
    if too_long:
        problems.append(too_long_problem(too_long, max_length, "window"))
    if long_answers:
        longest = max(length for _, length in long_answers)
        problems.append(
            f"rows.overflow (overflow = {overflow}): {len(long_answers)} answers are longer than"
            f" answer_length = {answer_length}, the longest {longest} tokens (ids = "
            f"{_first_ids([i for i, _ in long_answers])}). Increase grpo.answer_length or set"
            " rows.overflow=drop."
        )
    if problems:
        raise ConfigurationError(problems)
    return encoded, reports


def too_long_problem(rows: Sequence[tuple[str, int]], max_length: int, other: str) -> str:
    """Return the problem of rows that are too long, for a message.

    Args:
        rows: Id and length of each row.
        max_length: Largest number of tokens of a row.
        other: Handling of long rows to propose besides `drop`.
    """
    return (
        f"rows.overflow (overflow = raise): {len(rows)} rows are longer than max_length = {max_length},"
        f" the longest row {max(length for _, length in rows)} tokens (ids ="
        f" {_first_ids([identifier for identifier, _ in rows])}). Increase training.max_length or set"
        f" rows.overflow to drop or {other}."
    )


def _encode_row(row: TrainingRow, tokenizer: PreTrainedTokenizerBase) -> EncodedRow:
    prompt = encode_prompt(tokenizer, row.prompt)
    completion = encode_completion(tokenizer, row.prompt, row.completion)
    mask = [0] * len(prompt) + [1] * len(completion)
    return EncodedRow(row.id, row.kind, prompt + completion, mask, row.grade)


def _encode_windows(
    row: TrainingRow, tokenizer: PreTrainedTokenizerBase, max_length: int, report: LengthReport
) -> list[EncodedRow]:
    """Return the encoded windows of a document row's note, none if a word of it is too long.

    Parts that fit into no window are added to the report.
    """
    if row.note is None:
        return []

    def encode(note: CodedNote) -> EncodedRow:
        return _encode_row(document_row(note, row.system, row.template), tokenizer)

    try:
        windows, left_out = note_windows(
            row.note, lambda part: len(encode(part).input_ids) <= max_length
        )
    except TooLongError:
        return []
    report.omitted += [f"{row.id}@{start}:{end}" for start, end in left_out]
    return [encode(window) for window in windows]


def _first_ids(identifiers: list[str]) -> str:
    shown = ", ".join(map(shown_id, identifiers[:5]))
    return f"{shown}, …" if len(identifiers) > 5 else shown
