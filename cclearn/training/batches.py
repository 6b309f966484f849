"""The dataset and the sampler of the trainer, made from encoded rows."""

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
"""Label of a token that does not contribute to the loss."""


def make_dataset(
    phases: Sequence[Sequence[EncodedRow]], training: Training
) -> tuple[Dataset, list[int]]:
    """Return the rows with their labels as a dataset, and the number of its rows in each phase.

    With `batching: packed` a row of the dataset is a pack. Packs are filled by best-fit decreasing. No
    example is cut, because none is longer than a pack.

    Args:
        phases: Encoded rows of each phase.
        training: Settings of the training.
    """
    parts = [_labelled(phase) for phase in phases]
    if training.batching == "packed":
        parts = [pack_dataset(part, training.max_length, "bfd") for part in parts]
    return concatenate_datasets(parts), [len(part) for part in parts]


def _labelled(rows: Sequence[EncodedRow]) -> Dataset:
    return Dataset.from_dict(
        {
            "input_ids": [row.input_ids for row in rows],
            "labels": [
                [
                    token if learnt else IGNORED
                    for token, learnt in zip(row.input_ids, row.completion_mask, strict=True)
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
        lengths: Lengths of the rows, if rows of similar lengths are to be in the same batch.
        batch: Number of rows per step. It is only used with `lengths`.
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
