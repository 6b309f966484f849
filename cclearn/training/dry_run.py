"""A dry run, which reads the rows of a recipe and estimates the cost of the run."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.models import reporting_errors
from cclearn.runtime.memory import resident_mib
from cclearn.training.batches import make_dataset
from cclearn.training.choose import ChosenRows, choose_rows
from cclearn.training.estimate import (
    DEVICES,
    Memory,
    Shape,
    estimate_memory,
    estimate_operations,
    shape_of,
)
from cclearn.training.initial_model import initial_tokenizer
from cclearn.training.prepare import EpochRows, PreparedRows, prepare_rows
from cclearn.training.recipe import Recipe

Histogram = list[tuple[int, int, int]]
"""Bins of lengths: exclusive lower bound, inclusive upper bound, and number of rows."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """Size and estimated cost of a run.

    Attributes:
        epoch_rows: Counts of the rows of each source, kind and grade in an epoch.
        lengths: Histogram of the lengths of the rows. Each row of the sources counts once.
        dropped: Number of rows that are dropped because they are longer than the context.
        long_answers: Number of rows that are dropped because their answers are longer than
            `grpo.answer_length`.
        windowed: Number of notes that are split into windows.
        omitted: Number of parts of notes that fit into no window.
        cut: Number of notes whose end is left out.
        unlabelled: Number of rows that are dropped because the model scores none of their codes.
        contaminated: Number of rows that are dropped because they occur in an evaluation.
        invalid: Number of codes that are dropped because they are not billable.
        replaced: Number of headers that are replaced by their unspecified child.
        uncited: Number of codes without evidence.
        uncited_notes: Number of notes with codes without evidence.
        batch: Largest number of tokens, or number of rows, per step in all processes.
        batch_unit: Unit of `batch`: `tokens` or `rows`.
        steps: Number of steps of the run.
        epochs: Number of epochs of the run.
        tokens: Number of tokens that the run reads, without padding.
        document_tokens: Number of tokens that a run on as many document rows would read, or None if
            there are no document rows.
        shape: Size of the model.
        memory: Memory of one device without sharding, on a GPU and on a CPU.
        operations: Number of floating-point operations of the run.
        document_operations: Number of floating-point operations of a run on as many document rows, or
            None if there are no document rows.
    """

    epoch_rows: list[EpochRows]
    lengths: Histogram
    dropped: int
    long_answers: int
    windowed: int
    omitted: int
    cut: int
    unlabelled: int
    contaminated: int
    invalid: int
    replaced: int
    uncited: int
    uncited_notes: int
    batch: int
    batch_unit: str
    steps: int
    epochs: float
    tokens: int
    document_tokens: int | None
    shape: Shape
    memory: list[Memory]
    operations: float
    document_operations: float | None

    def times_seen(self, part: EpochRows) -> float:
        """Return how often each row of a source is seen in the whole run."""
        return self.epochs * part.rows / part.distinct


def dry_run(recipe: Recipe, processes: int = 1) -> DryRun:
    """Read the rows and the tokenizer of a recipe, and estimate the run. No weight is loaded.

    Args:
        recipe: Recipe of the run.
        processes: Number of processes of the run.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: Rows are too long, or the tokenizer cannot be loaded.
    """
    system = CodeSystem.load(recipe.code_system.name, recipe.code_system.release)
    chosen = choose_rows(recipe, system)
    prepared, shape = _prepared(recipe, chosen, system)
    training, baseline = recipe.training, recipe.baseline
    most_rows = baseline.batch_rows if baseline is not None else None
    _, sizes = make_dataset(prepared.phases, training, most_rows=most_rows)
    step_rows = training.device_rows * training.accumulation * processes
    batch, unit = training.effective_batch(processes)
    if recipe.grpo is not None:  # A row of the batch is one answer to a note.
        batch = step_rows = step_rows // recipe.grpo.generations
    exact = sum(sizes) / step_rows
    # The last batch of an epoch may be smaller. Phases follow each other without a new epoch, and GRPO
    # leaves out the rows that fill no batch.
    rounded = math.ceil(exact) if recipe.grpo is None else max(1, int(exact))
    epoch_steps = rounded if len(sizes) == 1 else exact
    steps = training.steps or math.ceil(epoch_steps * (training.epochs or 1))
    whole, rest = divmod(steps, epoch_steps)
    epochs = training.epochs or whole + min(1.0, rest / exact)
    # The process of the run holds the same rows and libraries.
    process = resident_mib() / 2**10
    rows = sum(part.rows for part in prepared.epoch_rows)
    tokens = round(epochs * sum(part.tokens for part in prepared.epoch_rows))
    mean_length = _attended(recipe, _mean_length(prepared))
    passes = 1.0 if baseline is None else baseline.passes(epochs)
    documents = [part for part in prepared.epoch_rows if part.kind == "document"]
    document_tokens = document_operations = None
    if documents:
        mean = sum(part.tokens for part in documents) / sum(part.rows for part in documents)
        document_tokens = round(epochs * rows * mean)
        document_operations = estimate_operations(
            shape,
            recipe,
            document_tokens * passes,
            _attended(recipe, _mean_length(prepared, "document")),
        )
    reports = [report for reports in prepared.reports for report in reports.values()]
    return DryRun(
        epoch_rows=prepared.epoch_rows,
        lengths=_histogram(sum((report.lengths for report in reports), Counter())),
        dropped=sum(len(report.dropped) for report in reports),
        long_answers=sum(len(report.long_answers) for report in reports),
        windowed=sum(len(report.windowed) for report in reports),
        omitted=sum(len(report.omitted) for report in reports),
        cut=sum(len(report.cut) for report in reports),
        unlabelled=sum(len(report.unlabelled) for report in reports),
        contaminated=sum(len(c.contaminated) for c in chosen),
        invalid=sum(c.check.dropped for c in chosen),
        replaced=sum(c.check.replaced for c in chosen),
        uncited=sum(c.check.uncited for c in chosen),
        uncited_notes=sum(c.check.uncited_notes for c in chosen),
        batch=batch,
        batch_unit=unit,
        steps=steps,
        epochs=epochs,
        tokens=tokens,
        document_tokens=document_tokens,
        shape=shape,
        memory=[estimate_memory(shape, recipe, device, process) for device in DEVICES],
        operations=estimate_operations(shape, recipe, tokens * passes, mean_length),
        document_operations=document_operations,
    )


def _prepared(
    recipe: Recipe, chosen: list[ChosenRows], system: CodeSystem
) -> tuple[PreparedRows, Shape]:
    """Return the encoded rows of a recipe, and the size of its model."""
    if recipe.baseline is not None:
        from cclearn.training.plm_estimate import plm_shape
        from cclearn.training.plm_model import plm_config, plm_rows

        labels, tokenizer, prepared = plm_rows(recipe, chosen, system)
        with _reporting_unusable(recipe):
            return prepared, plm_shape(plm_config(recipe, tokenizer, labels), recipe)
    rows = [row for source in chosen for row in source.rows]
    tokenizer = initial_tokenizer(recipe, rows, system)
    prepared = prepare_rows(recipe, chosen, tokenizer)
    with _reporting_unusable(recipe):
        return prepared, shape_of(recipe, tokenizer)


def _reporting_unusable(recipe: Recipe) -> AbstractContextManager[None]:
    """Return a context that reports errors of a base model's configuration.

    A configuration that can be read may still describe no model.
    """
    path = recipe.model.path
    return nullcontext() if path is None else reporting_errors(str(path))


def _attended(recipe: Recipe, length: float) -> float:
    """Return the number of tokens that a token attends to, which are those of its chunk."""
    return length if recipe.baseline is None else min(length, recipe.baseline.chunk)


def _mean_length(prepared: PreparedRows, kind: str | None = None) -> float:
    """Return the mean length of a row, weighted by its tokens."""
    lengths = [
        len(row.input_ids) for phase in prepared.phases for row in phase if kind in (None, row.kind)
    ]
    return sum(length * length for length in lengths) / sum(lengths)


def _histogram(lengths: Counter[int]) -> Histogram:
    """Return the number of rows between powers of two."""
    bins: Counter[int] = Counter()
    for length, count in lengths.items():
        bins[(length - 1).bit_length()] += count
    first, last = min(bins), max(bins)
    return [(2 ** (b - 1) if b else 0, 2**b, bins[b]) for b in range(first, last + 1)]
