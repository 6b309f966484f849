"""From encoded rows to what the trainer iterates over: labels, packs, and their order."""

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
"""The label of a token that is read and not learnt."""


def dataset_of(
    phases: Sequence[Sequence[EncodedRow]], training: Training
) -> tuple[Dataset, list[int]]:
    """Return the rows with their labels, packed if asked, and how many rows each phase has.

    Packs are filled best fit, longest first; no row is cut, for none is longer than a pack.
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
    """Yields the rows of an epoch in an order that follows from the seed and the epoch's number alone.

    So a run that goes on in the middle of an epoch finds the order it had.

    Args:
        sizes: Rows of each phase, which lie behind one another.
        seed: Of the orders.
        rounds: How often each phase is gone through before the next.
        lengths: Of the rows, where rows of like length shall stand together.
        batch: How many rows a step has; with lengths alone.
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
        """Say which epoch is next; the trainer does."""
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
                for place in order:
                    yield first + place
            first += size
