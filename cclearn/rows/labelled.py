"""Encoding of training rows for models that score labels: the tokens of a text, and its codes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError
from cclearn.notes.spans import Span
from cclearn.rows.build import TrainingRow
from cclearn.rows.encode import EncodedRow, LengthReport, Overflow, Reports, too_long_problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH = 256
"""Number of texts that are tokenised together."""


def encode_labelled_rows(
    rows: Iterable[TrainingRow],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    overflow: Overflow,
    labels: Container[str],
) -> tuple[list[EncodedRow], Reports]:
    """Encode the texts of training rows. A span row has one code, and a document row those of its note.

    Codes that the model does not score are left out. A row of which no code is left is left out too,
    but a note or a span that has no code is an example without labels.

    Args:
        rows: Training rows.
        tokenizer: Tokenizer of the model.
        max_length: Largest number of tokens of a text.
        overflow: Handling of longer texts, any but `window`.
        labels: Codes that the model scores.

    Returns:
        Encoded rows, and reports by kind and grade.

    Raises:
        ConfigurationError: Texts are too long and may not be left out. All are reported together.
    """
    given = list(rows)
    encoded: list[EncodedRow] = []
    reports: Reports = {}
    too_long: list[tuple[str, int]] = []
    for row, tokens in zip(
        given, encode_plain(tokenizer, [text_of(r) for r in given]), strict=True
    ):
        report = reports.setdefault((row.kind, row.grade), LengthReport())
        codes = codes_of(row)
        kept = tuple(code for code in codes if code in labels)
        if codes and not kept:
            report.unlabelled.append(row.id)
            continue
        if len(tokens) > max_length:
            if overflow == "raise":
                too_long.append((row.id, len(tokens)))
                continue
            if overflow == "drop":
                report.dropped.append(row.id)
                continue
            report.cut.append(row.id)
            tokens = cut_tokens(tokenizer, tokens, max_length)
        encoded.append(EncodedRow(row.id, row.kind, tokens, [1] * len(tokens), row.grade, kept))
        report.add(encoded[-1])
    if too_long:
        raise ConfigurationError([too_long_problem(too_long, max_length, "cut")])
    return encoded, reports


def encode_plain(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of texts, between the special tokens of the tokenizer.

    The text of a special token that a note contains is encoded as any other text.
    """
    found: list[list[int]] = []
    for first in range(0, len(texts), _BATCH):
        some = list(texts[first : first + _BATCH])
        found += tokenizer(some, split_special_tokens=True, verbose=False)["input_ids"]
    return found


def encode_with_offsets(
    tokenizer: PreTrainedTokenizerBase, text: str, max_length: int
) -> tuple[list[int], list[Span]]:
    """Return the first tokens of a text, and the span of each. The span of a special token is empty.

    A text of which only special tokens are left, such as an empty one, has no tokens.

    Args:
        tokenizer: Tokenizer of the model.
        text: Text of a note.
        max_length: Largest number of tokens.
    """
    encoded = tokenizer(text, split_special_tokens=True, verbose=False, return_offsets_mapping=True)
    tokens, offsets = encoded["input_ids"], [(s, e) for s, e in encoded["offset_mapping"]]
    if all(start == end for start, end in offsets):
        return [], []
    if len(tokens) <= max_length:
        return tokens, offsets
    kept = cut_tokens(tokenizer, tokens, max_length)
    last = offsets[max_length - 1] if kept[-1] == tokens[max_length - 1] else (0, 0)
    return kept, [*offsets[: max_length - 1], last]


def cut_tokens(
    tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], max_length: int
) -> list[int]:
    """Return the first tokens of a text. A special token at the end stays at the end."""
    kept = list(tokens[:max_length])
    if kept and tokens[-1] in tokenizer.all_special_ids:
        kept[-1] = tokens[-1]
    return kept


def text_of(row: TrainingRow) -> str:
    """Return the text that a row is about: that of its span or of its note."""
    return row.text if row.note is None else row.note.text


def codes_of(row: TrainingRow) -> list[str]:
    """Return the codes of a row: that of its span, or those of its note."""
    if row.note is None:
        return [row.code] if row.code else []
    return [assigned.code for assigned in row.note.codes]
