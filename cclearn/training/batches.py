"""From encoded rows to what the trainer iterates over: labels, packs, and their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from datasets import Dataset, concatenate_datasets
from torch.utils.data import Sampler
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


class PhasedSampler(Sampler[int]):
    """Yields the rows of one phase, so many epochs of it, and then those of the next.

    Args:
        sizes: Rows of each phase, which lie behind one another.
        epochs: How often each phase is gone through, in another order each time.
        seed: Of the orders.
    """

    def __init__(self, sizes: Sequence[int], epochs: int, seed: int) -> None:
        self._sizes = list(sizes)
        self._epochs = epochs
        self._seed = seed

    def __len__(self) -> int:
        return self._epochs * sum(self._sizes)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed)
        first = 0
        for size in self._sizes:
            for _ in range(self._epochs):
                for place in torch.randperm(size, generator=generator).tolist():
                    yield first + place
            first += size
