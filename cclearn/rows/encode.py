"""From rows to tokens: what is supervised, how long it is, and what to do with what is too long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cclearn.errors import ConfigurationError
from cclearn.prompts.encoding import encode_completion, encode_prompt
from cclearn.prompts.templates import RowKind
from cclearn.rows.build import TrainingRow

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Overflow = Literal["raise", "drop"]
"""`raise`: a row longer than the context stops the run · `drop`: it is left out and counted."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A row as tokens.

    Attributes:
        id: The row's id.
        kind: `span` or `document`.
        input_ids: Prompt and completion.
        completion_mask: 1 where the token is supervised, 0 on the prompt.
    """

    id: str
    kind: RowKind
    input_ids: list[int]
    completion_mask: list[int]


@dataclass(slots=True)
class LengthReport:
    """Counts of one kind of row.

    Attributes:
        rows: Rows that are trained on.
        tokens: Their tokens.
        supervised_tokens: Those the loss is on.
        longest: Tokens of the longest row.
        dropped: Ids of the rows that were too long.
    """

    rows: int = 0
    tokens: int = 0
    supervised_tokens: int = 0
    longest: int = 0
    dropped: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return the report for a manifest."""
        return {
            "rows": self.rows,
            "tokens": self.tokens,
            "supervised_tokens": self.supervised_tokens,
            "longest": self.longest,
            "dropped": list(self.dropped),
        }


def encode_rows(
    rows: Iterable[TrainingRow],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    overflow: Overflow = "raise",
) -> tuple[list[EncodedRow], dict[str, LengthReport]]:
    """Encode rows, refusing to cut any.

    Args:
        rows: What to encode.
        tokenizer: Its chat template renders the messages.
        max_length: The context, in tokens.
        overflow: What to do with a longer row.

    Returns:
        The encoded rows and a report by kind of row.

    Raises:
        ConfigurationError: Rows are too long and `overflow` is `raise`, or a row has an empty
            completion, so that nothing of it would be learnt. All such rows are told at once.
    """
    encoded: list[EncodedRow] = []
    reports: dict[str, LengthReport] = {}
    too_long: list[tuple[str, int]] = []
    unsupervised: list[str] = []
    for row in rows:
        report = reports.setdefault(row.kind, LengthReport())
        prompt = encode_prompt(tokenizer, row.prompt)
        completion = encode_completion(tokenizer, row.prompt, row.completion)
        length = len(prompt) + len(completion)
        if not row.completion.strip():
            unsupervised.append(row.id)
        elif length > max_length:
            too_long.append((row.id, length))
            report.dropped.append(row.id)
        else:
            mask = [0] * len(prompt) + [1] * len(completion)
            encoded.append(EncodedRow(row.id, row.kind, prompt + completion, mask))
            report.rows += 1
            report.tokens += length
            report.supervised_tokens += len(completion)
            report.longest = max(report.longest, length)
    problems = []
    if unsupervised:
        problems.append(
            f"rows (ids = {_some(unsupervised)}): the completion is empty, nothing would be learnt."
            " Remove these rows."
        )
    if too_long and overflow == "raise":
        longest = max(length for _, length in too_long)
        problems.append(
            f"rows.overflow (overflow = raise): {len(too_long)} rows are longer than max_length ="
            f" {max_length}, the longest {longest} tokens (ids = {_some([i for i, _ in too_long])})."
            f" Raise training.max_length or set rows.overflow=drop."
        )
    if problems:
        raise ConfigurationError(problems)
    return encoded, reports


def _some(identifiers: list[str]) -> str:
    shown = ", ".join(identifiers[:5])
    return f"{shown}, …" if len(identifiers) > 5 else shown
