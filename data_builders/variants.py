"""Pairs followed by their variants, made in one process or in several, the same ones either way."""

from __future__ import annotations

import multiprocessing
import random
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.claims import Claims
from cclearn.codes.strings import string_key
from cclearn.notes import SpanPair
from data_builders.builder import Built
from data_builders.noise import VARIANT, Abbreviations, Noise
from data_builders.noise.context import Context, context_of, vocabulary

_BATCH = 1_000
"""Rows whose variants are made in one go."""

_Task = tuple[str, str, Context]
"""A pair's id, its text, and what is known of its code."""


@dataclass(frozen=True, slots=True)
class VariantSettings:
    """How variants are made.

    Attributes:
        count: How many a pair, at the most.
        noise: How often each maker is drawn.
        abbreviations: A user's table.
        seed: With a pair's id it decides everything.
        workers: In how many processes.
    """

    count: int
    noise: dict[str, float]
    abbreviations: Path | None
    seed: int
    workers: int


def with_variants(
    rows: Iterable[Built],
    settings: VariantSettings,
    system: CodeSystem,
    claims: Claims,
) -> Iterator[Built]:
    """Yield rows as they come, each pair with its variants behind it; they keep its grade.

    A variant that is a string of its own, of whichever code, is left out, and one that was made of the
    pair before it already.

    Args:
        rows: Pairs and others. No variants are made of a variant.
        settings: How many variants, of which kinds, in how many processes.
        system: The code system.
        claims: Which strings are some code's own.
    """
    if settings.abbreviations is not None:
        Abbreviations.load(settings.abbreviations)  # What is wrong with it is told here.
    if not settings.count:
        yield from rows
        return
    code, said = "", set[str]()
    for batch, made in _batches(iter(rows), settings, system):
        for row, texts in zip(batch, made, strict=True):
            yield row
            if not isinstance(row, SpanPair):
                continue
            if row.code != code:
                code, said = row.code, set()
            own = string_key(row.text)
            for number, text in enumerate(texts, start=1):
                key = string_key(text)
                if text not in said and (key == own or key not in claims):
                    said.add(text)
                    changed = {
                        "id": f"{row.id}-variant-{number}",
                        "text": text,
                        "source": f"{row.source}{VARIANT}",
                    }
                    yield SpanPair.model_construct(**{**row.__dict__, **changed})


def _batches(
    rows: Iterator[Built], settings: VariantSettings, system: CodeSystem
) -> Iterator[tuple[list[Built], list[list[str]]]]:
    """Yield the rows in batches, with the texts of each row's variants."""
    batches = iter(lambda: list(islice(rows, _BATCH)), [])
    if settings.workers == 1:
        work = _Work(settings, vocabulary(system))
        for batch in batches:
            yield batch, work.texts(_tasks(batch, system))
        return
    waiting: deque[tuple[list[Built], Future[list[list[str]]]]] = deque()
    # Forking would copy the threads' locks of the libraries that are loaded.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        settings.workers, context, _start, (settings, vocabulary(system))
    ) as pool:
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(_texts, _tasks(batch, system))))
                if len(waiting) > 2 * settings.workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _tasks(batch: list[Built], system: CodeSystem) -> list[_Task | None]:
    return [
        (row.id, row.text, context_of(system, row.code))
        if isinstance(row, SpanPair) and not row.source.endswith(VARIANT)
        else None
        for row in batch
    ]


class _Work:
    """Makes the texts of variants, in whichever process."""

    def __init__(self, settings: VariantSettings, vocabulary: frozenset[str]) -> None:
        self._noise = Noise(settings.noise, Abbreviations.load(settings.abbreviations), vocabulary)
        self._settings = settings

    def texts(self, tasks: list[_Task | None]) -> list[list[str]]:
        """Return the variants of each pair; of a row that is to have none, none."""
        return [self._of(*task) if task else [] for task in tasks]

    def _of(self, identifier: str, text: str, context: Context) -> list[str]:
        order = random.Random(f"{self._settings.seed} {identifier}")  # noqa: S311 - reproducible
        return list(self._noise.variants(text, self._settings.count, order, context))


_work: _Work | None = None


def _start(settings: VariantSettings, words: frozenset[str]) -> None:
    global _work
    # Ctrl-C reaches every process of the terminal: the parent alone answers it, or a worker that dies
    # at the wrong moment would keep the parent waiting for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work = _Work(settings, words)


def _texts(tasks: list[_Task | None]) -> list[list[str]]:
    assert _work is not None  # noqa: S101 - `_start` ran first in this process
    return _work.texts(tasks)
