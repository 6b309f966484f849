"""The dataset and the sampler of the trainer, which are made from encoded rows.

A row of the dataset has `input_ids` and `labels`, two lists of the same length. TRL's
`DataCollatorForLanguageModeling` makes a batch from them: it pads rows to equal length, or concatenates
packs without padding. TRL's trainer computes the loss, which is the mean cross-entropy of the tokens
whose label is not `IGNORED`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from datasets import Dataset, concatenate_datasets
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices
from trl import pack_dataset

from cclearn.rows import EncodedRow
from cclearn.training.recipe import Training

IGNORED = -100
"""Label of a token that does not contribute to the loss, such as a token of the prompt."""


def make_dataset(
    phases: Sequence[Sequence[EncodedRow]], training: Training
) -> tuple[Dataset, list[int]]:
    """Return the rows with their labels as a dataset, and the number of its rows in each phase.

    With `batching: packed`, a row of the dataset is a pack of several encoded rows. Packs are filled by
    best-fit decreasing. No encoded row is cut, because none is longer than a pack.

    Args:
        phases: Encoded rows of each phase.
        training: Settings of the training.
    """
    parts = [_with_labels(phase) for phase in phases]
    if training.batching == "packed":
        parts = [pack_dataset(part, training.max_length, "bfd") for part in parts]
    return concatenate_datasets(parts), [len(part) for part in parts]


def _with_labels(rows: Sequence[EncodedRow]) -> Dataset:
    """Return rows as a dataset. The label of a token of a completion is the token itself."""
    return Dataset.from_dict(
        {
            "input_ids": [row.input_ids for row in rows],
            "labels": [
                [
                    token if is_completion else IGNORED
                    for token, is_completion in zip(row.input_ids, row.completion_mask, strict=True)
                ]
                for row in rows
            ],
        }
    )


class RowSampler(Sampler[int]):
    """Sampler whose order depends only on the seed and the number of the epoch.

    A run that is resumed in the middle of an epoch therefore continues in the same order.

    Args:
        sizes: Number of rows of each phase. The phases follow each other in the dataset.
        seed: Seed of the orders.
        rounds: Number of passes over each phase before the next one begins.
        lengths: Lengths of the rows in tokens. With them, rows of similar lengths are in the same batch.
            None ignores the lengths.
        batch: Number of rows per step of all processes. It is only used with `lengths`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        seed: int,
        rounds: int = 1,
        lengths: Sequence[int] | None = None,
        batch: int = 1,
    ) -> None:
        self._sizes = list(sizes)
        self._seed = seed
        self._rounds = rounds
        self._lengths = lengths
        self._batch = batch
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
                if self._lengths is None:
                    order = torch.randperm(size, generator=generator).tolist()
                else:
                    lengths = list(self._lengths[first : first + size])
                    order = get_length_grouped_indices(lengths, self._batch, generator=generator)
                for index in order:
                    yield first + index
            first += size
