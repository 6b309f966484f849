"""A run without its training: what would be read, how long it is, what it would take."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.training.batches import dataset_of
from cclearn.training.choose import choose_rows
from cclearn.training.estimate import Memory, Shape, memory_of, operations_of, shape_of
from cclearn.training.prepare import Prepared, Share, prepare
from cclearn.training.recipe import Recipe
from cclearn.training.start import start_tokenizer

Histogram = list[tuple[int, int, int]]
"""Lengths above the first and up to the second number, and how many rows have one."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would be.

    Attributes:
        shares: What an epoch holds, by source, kind and grade.
        lengths: Of the rows of the sources, each once.
        dropped: Rows that are too long and left out.
        windowed: Notes that are split into windows.
        contaminated: Rows that an evaluation holds.
        batch: Rows, or packs, of a step, of all processes.
        steps: Of the whole run.
        epochs: How often the epoch is gone through.
        tokens: That the run reads, padding aside.
        document_tokens: That as many rows of documents alone would have, None without documents.
        shape: The model's size.
        memory: On one device, unsharded, in 16 bits and in 32.
        operations: Of the run.
        document_operations: Of as many rows of documents alone.
    """

    shares: list[Share]
    lengths: Histogram
    dropped: int
    windowed: int
    contaminated: int
    batch: int
    steps: int
    epochs: float
    tokens: int
    document_tokens: int | None
    shape: Shape
    memory: tuple[Memory, Memory]
    operations: float
    document_operations: float | None


def dry_run(recipe: Recipe, processes: int = 1) -> DryRun:
    """Read the rows and the tokenizer of a recipe, and count; no weight is loaded.

    Args:
        recipe: What would be run.
        processes: How many would run it.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: Rows are too long, or the tokenizer cannot be loaded.
    """
    system = CodeSystem.load(recipe.code_system.name, recipe.code_system.release)
    chosen = choose_rows(recipe, system)
    tokenizer = start_tokenizer(recipe, [row for c in chosen for row in c.rows], system)
    prepared = prepare(recipe, chosen, tokenizer)
    _, sizes = dataset_of(prepared.phases, recipe.training)
    training = recipe.training
    batch = training.batch_size * training.accumulation * processes
    if recipe.grpo is not None:  # A row of the batch is one answer to a note.
        batch //= recipe.grpo.generations
    epoch_steps = sum(sizes) / batch
    steps = training.steps or math.ceil(epoch_steps) * (training.epochs or 1)
    epochs = steps / epoch_steps
    shape = shape_of(recipe, tokenizer)
    rows = sum(share.rows for share in prepared.shares)
    tokens = round(epochs * sum(share.tokens for share in prepared.shares))
    reach = _reach(prepared)
    documents = [share for share in prepared.shares if share.kind == "document"]
    document_tokens = document_operations = None
    if documents:
        mean = sum(s.tokens for s in documents) / sum(s.rows for s in documents)
        document_tokens = round(epochs * rows * mean)
        document_operations = operations_of(
            shape, recipe, document_tokens, _reach(prepared, "document")
        )
    reports = [report for each in prepared.reports for report in each.values()]
    return DryRun(
        shares=prepared.shares,
        lengths=_histogram(sum((report.lengths for report in reports), Counter())),
        dropped=sum(len(report.dropped) for report in reports),
        windowed=sum(len(report.windowed) for report in reports),
        contaminated=sum(len(c.contaminated) for c in chosen),
        batch=batch,
        steps=steps,
        epochs=epochs,
        tokens=tokens,
        document_tokens=document_tokens,
        shape=shape,
        memory=(memory_of(shape, recipe, True), memory_of(shape, recipe, False)),
        operations=operations_of(shape, recipe, tokens, reach),
        document_operations=document_operations,
    )


def _reach(prepared: Prepared, kind: str | None = None) -> float:
    """Return the mean length of the row that a token is in."""
    lengths = [
        len(row.input_ids) for phase in prepared.phases for row in phase if kind in (None, row.kind)
    ]
    return sum(length * length for length in lengths) / sum(lengths)


def _histogram(lengths: Counter[int]) -> Histogram:
    """Return counts between powers of two."""
    bins: Counter[int] = Counter()
    for length, count in lengths.items():
        bins[(length - 1).bit_length()] += count
    first, last = min(bins), max(bins)
    return [(2 ** (b - 1) if b else 0, 2**b, bins[b]) for b in range(first, last + 1)]
