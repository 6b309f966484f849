"""From rows to tokens: what is supervised, how long it is, and what to do with what is too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.contract import Grade
from cclearn.notes.windows import TooLongError
from cclearn.prompts.encoding import encode_completion, encode_prompt
from cclearn.prompts.templates import RowKind
from cclearn.rows.build import TrainingRow, document_row
from cclearn.rows.windows import note_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Overflow = Literal["raise", "drop", "window"]
"""What becomes of a row longer than the context. `raise`: it stops the run · `drop`: it is left out and
counted · `window`: a note is split into windows that hold their evidence whole (`cclearn.rows.windows`);
a span that is too long, or an evidence, stops the run."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A row as tokens.

    Attributes:
        id: The row's id.
        kind: `span` or `document`.
        input_ids: Prompt and completion.
        completion_mask: 1 where the token is supervised, 0 on the prompt.
        grade: Of a span row's pair.
    """

    id: str
    kind: RowKind
    input_ids: list[int]
    completion_mask: list[int]
    grade: Grade | None = None


@dataclass(slots=True)
class LengthReport:
    """Counts of rows.

    Attributes:
        rows: Rows that are trained on.
        tokens: Their tokens.
        supervised_tokens: Those the loss is on.
        lengths: How many rows have so many tokens.
        dropped: Ids of the rows that were too long.
        windowed: Ids of the notes that were split into windows.
    """

    rows: int = 0
    tokens: int = 0
    supervised_tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)
    windowed: list[str] = field(default_factory=list)

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
            "windowed": list(self.windowed),
        }


Reports = dict[tuple[RowKind, Grade | None], LengthReport]
"""Counts by kind and grade of row."""


def encode_rows(
    rows: Iterable[TrainingRow],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    overflow: Overflow = "raise",
    answer_room: int = 0,
) -> tuple[list[EncodedRow], Reports]:
    """Encode rows, refusing to cut any.

    Args:
        rows: What to encode.
        tokenizer: Its chat template renders the messages.
        max_length: The context, in tokens.
        overflow: What to do with a longer row.
        answer_room: Tokens that must be left for an answer, however short the row's own is.

    Returns:
        The encoded rows and a report by kind and grade.

    Raises:
        ConfigurationError: Rows are too long and may not be left out, or a row has an empty
            completion, so that nothing of it would be learnt. All such rows are told at once.
    """
    encoded: list[EncodedRow] = []
    reports: Reports = {}
    too_long: list[tuple[str, int]] = []
    unsupervised: list[str] = []
    for row in rows:
        report = reports.setdefault((row.kind, row.grade), LengthReport())
        whole = _encoded(row, tokenizer)
        length = max(len(whole.input_ids), whole.completion_mask.count(0) + answer_room)
        if not row.completion.strip():
            unsupervised.append(row.id)
        elif length <= max_length:
            encoded.append(whole)
            report.add(whole)
        elif overflow == "drop":
            report.dropped.append(row.id)
        elif overflow == "window" and (parts := _windowed(row, tokenizer, max_length)):
            report.windowed.append(row.id)
            for part in parts:
                encoded.append(part)
                report.add(part)
        else:
            too_long.append((row.id, length))
    problems = []
    if unsupervised:
        problems.append(
            f"rows (ids = {_some(unsupervised)}): the completion is empty, nothing would be learnt."
            " Remove these rows."
        )
    if too_long:
        longest = max(length for _, length in too_long)
        kind = "rows" if overflow == "raise" else "spans, words or pieces of evidence"
        problems.append(
            f"rows.overflow (overflow = {overflow}): {len(too_long)} {kind} are longer than max_length"
            f" = {max_length}, the longest row {longest} tokens (ids = "
            f"{_some([i for i, _ in too_long])}). Raise training.max_length or set"
            " rows.overflow=drop" + (", or window." if overflow == "raise" else ".")
        )
    if problems:
        raise ConfigurationError(problems)
    return encoded, reports


def _encoded(row: TrainingRow, tokenizer: PreTrainedTokenizerBase) -> EncodedRow:
    prompt = encode_prompt(tokenizer, row.prompt)
    completion = encode_completion(tokenizer, row.prompt, row.completion)
    mask = [0] * len(prompt) + [1] * len(completion)
    return EncodedRow(row.id, row.kind, prompt + completion, mask, row.grade)


def _windowed(
    row: TrainingRow, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[EncodedRow]:
    """Return the rows of a note's windows, none where it cannot be split so."""
    if row.note is None:
        return []

    def encode(note: CodedNote) -> EncodedRow:
        return _encoded(document_row(note, row.system, row.template), tokenizer)

    try:
        parts = note_windows(row.note, lambda part: len(encode(part).input_ids) <= max_length)
        return [encode(part) for part in parts]
    except TooLongError:
        return []


def _some(identifiers: list[str]) -> str:
    shown = ", ".join(identifiers[:5])
    return f"{shown}, …" if len(identifiers) > 5 else shown
