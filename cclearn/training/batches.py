"""The dataset, the sampler and the collator of the trainer, which are made from encoded rows.

A row of the dataset is the batch of a device, except with `batching: padded`:

| `batching` | a row of the dataset | the collator |
| --- | --- | --- |
| `packed` | a pack: several encoded rows in a sequence, with `seq_lengths` | concatenates packs |
| `grouped` | a group: several encoded rows of similar lengths, as lists | pads the rows of groups |
| `padded` | an encoded row | pads rows |

`input_ids` and `labels` are lists of the same length. The label of a token is the token itself, or
`IGNORED` for a token of a prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets
from torch.utils.data import Sampler
from trl import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from cclearn.errors import ConfigurationError
from cclearn.rows import EncodedRow
from cclearn.training.head_loss import IGNORED
from cclearn.training.recipe import Recipe, Training


def make_dataset(
    phases: Sequence[Sequence[EncodedRow]],
    training: Training,
    label: Callable[[EncodedRow], list[int]] | None = None,
    most_rows: int | None = None,
) -> tuple[Dataset, list[int]]:
    """Return the rows with their labels as a dataset, and the number of its rows in each phase.

    Packs are filled by best-fit decreasing. No encoded row is cut.

    Args:
        phases: Encoded rows of each phase.
        training: Settings of the training.
        label: Function that returns the labels of a row. None labels its tokens.
        most_rows: Largest number of rows of a group. None limits only its tokens.

    Raises:
        ConfigurationError: A row is longer than a batch may be.
    """
    most = training.device_tokens
    longest = max((len(row.input_ids) for phase in phases for row in phase), default=0)
    if longest > most:
        raise ConfigurationError(
            [
                f"training.batch_tokens (batch_tokens = {most:,}): the longest row has {longest:,}"
                " tokens, and rows are not cut. Increase it, or decrease training.max_length."
            ]
        )
    parts = [
        _dataset(phase, training.batching, most, label or _labels, most_rows) for phase in phases
    ]
    return concatenate_datasets(parts), [len(part) for part in parts]


def _dataset(
    rows: Sequence[EncodedRow],
    batching: str,
    most: int,
    label: Callable[[EncodedRow], list[int]],
    most_rows: int | None,
) -> Dataset:
    if batching == "grouped":
        groups = group_rows(rows, most, most_rows)
        return Dataset.from_dict(
            {
                "input_ids": [[row.input_ids for row in group] for group in groups],
                "labels": [[label(row) for row in group] for group in groups],
            }
        )
    dataset = Dataset.from_dict(
        {"input_ids": [row.input_ids for row in rows], "labels": [label(row) for row in rows]}
    )
    return pack_dataset(dataset, most, "bfd") if batching == "packed" else dataset


def _labels(row: EncodedRow) -> list[int]:
    return [
        token if is_completion else IGNORED
        for token, is_completion in zip(row.input_ids, row.completion_mask, strict=True)
    ]


def group_rows(
    rows: Sequence[EncodedRow], most: int, most_rows: int | None = None
) -> list[list[EncodedRow]]:
    """Return groups of rows of similar lengths. Each group is as large as possible.

    Lengths are similar if they differ by less than an eighth. Rows of similar lengths keep their
    order, so that the copies of a repeated row are in different groups if they are far apart.

    Args:
        rows: Rows in random order.
        most: Largest number of tokens of a group after its rows are padded to the longest.
        most_rows: Largest number of rows of a group. None limits only its tokens.
    """
    groups: list[list[EncodedRow]] = []
    width = most + 1
    for row in sorted(rows, key=lambda row: _length_class(len(row.input_ids))):
        width = max(width, len(row.input_ids))
        number = len(groups[-1]) + 1 if groups else 1
        if width * number > most or (most_rows is not None and number > most_rows):
            groups.append([])
            width = len(row.input_ids)
        groups[-1].append(row)
    return groups


def _length_class(length: int) -> int:
    """Return the number of the interval of a length: each power of two is divided into eight
    intervals."""
    bits = length.bit_length()
    return 16 * bits + (length << 4 >> bits)


class GroupCollator:
    """Makes a batch of all rows of the groups in a list of examples.

    Args:
        pad: Token that fills up shorter rows.
    """

    def __init__(self, pad: int) -> None:
        self._collate = DataCollatorForLanguageModeling(pad_token_id=pad)

    def __call__(self, groups: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_ids`, `labels` and `attention_mask`, each of shape (rows, tokens)."""
        rows = [
            {"input_ids": ids, "labels": labels}
            for group in groups
            for ids, labels in zip(group["input_ids"], group["labels"], strict=True)
        ]
        batch: dict[str, torch.Tensor] = self._collate(rows)
        return batch


def row_sampler(recipe: Recipe, sizes: Sequence[int]) -> RowSampler:
    """Return the sampler of a recipe, which repeats each of its phases for all epochs.

    Args:
        recipe: Recipe of the run.
        sizes: Number of rows of each phase.
    """
    rounds = 1
    if recipe.rows.order == "span_then_document" and recipe.training.epochs is not None:
        rounds = int(recipe.training.epochs)
    return RowSampler(sizes, recipe.seed, rounds)


class RowSampler(Sampler[int]):
    """Sampler whose order depends only on the seed and the number of the epoch.

    A run that is resumed in the middle of an epoch therefore continues in the same order.

    Args:
        sizes: Number of rows of each phase. The phases follow each other in the dataset.
        seed: Seed of the orders.
        rounds: Number of passes over each phase before the next one begins.
    """

    def __init__(self, sizes: Sequence[int], seed: int, rounds: int = 1) -> None:
        self._sizes = list(sizes)
        self._seed = seed
        self._rounds = rounds
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch. The trainer calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._rounds * sum(self._sizes)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        first = 0
        for size in self._sizes:
            for _ in range(self._rounds):
                for index in torch.randperm(size, generator=generator).tolist():
                    yield first + index
            first += size
