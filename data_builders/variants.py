"""Variants of span pairs, which are changed spellings of their strings."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, tee

from cclearn.codes import CodeSystem
from cclearn.codes.string_claims import StringClaims
from cclearn.codes.strings import string_key
from cclearn.notes import SpanPair
from data_builders.builder import BuiltRow
from data_builders.noise import VARIANT, Abbreviations, Noise
from data_builders.noise.context import Context, context_of, vocabulary
from data_builders.parallel import ParallelMap

_BATCH = 1_000
"""Number of rows per task."""

_Task = tuple[str, str, Context]
"""Id and text of a pair, and the context of its code."""


@dataclass(frozen=True, slots=True)
class VariantSettings:
    """Settings of the variants.

    Attributes:
        count: Maximum number of variants for each pair.
        noise: Weight of each transform.
        abbreviations: Abbreviations that the transforms use.
        seed: Seed of the variants. They depend on it and on the id of the pair.
    """

    count: int
    noise: dict[str, float]
    abbreviations: Abbreviations
    seed: int


def with_variants(
    rows: Iterable[BuiltRow],
    settings: VariantSettings,
    system: CodeSystem,
    claims: StringClaims,
    parallel_map: ParallelMap,
) -> Iterator[BuiltRow]:
    """Yield rows, with the variants of each pair after it. Variants have the grade of their pair.

    A variant is left out if its string is claimed by a code, or if it is a variant of a previous pair of
    the same code.

    Args:
        rows: Pairs and other rows. Pairs that are variants get no further variants.
        settings: Settings of the variants.
        system: Code system of the pairs.
        claims: All claimed strings.
        parallel_map: Map that makes the variants.
    """
    if not settings.count:
        yield from rows
        return
    code, used = "", set[str]()
    rows = iter(rows)
    batches, ahead = tee(iter(lambda: list(islice(rows, _BATCH)), []))
    make = partial(_VariantMaker, settings, vocabulary(system))
    tasks = (_tasks(batch, system) for batch in ahead)
    for variants, batch in zip(parallel_map(make, tasks), batches, strict=True):
        for row, texts in zip(batch, variants, strict=True):
            yield row
            if not isinstance(row, SpanPair):
                continue
            if row.code != code:
                code, used = row.code, set()
            own_key = string_key(row.text)
            for number, text in enumerate(texts, start=1):
                key = string_key(text)
                if text not in used and (key == own_key or key not in claims):
                    used.add(text)
                    changed = {
                        "id": f"{row.id}-variant-{number}",
                        "text": text,
                        "source": f"{row.source}{VARIANT}",
                    }
                    yield SpanPair.model_construct(**{**row.__dict__, **changed})


def _tasks(batch: list[BuiltRow], system: CodeSystem) -> list[_Task | None]:
    return [
        (row.id, row.text, context_of(system, row.code))
        if isinstance(row, SpanPair) and not row.source.endswith(VARIANT)
        else None
        for row in batch
    ]


class _VariantMaker:
    """Callable that returns the texts of the variants of each pair in a batch."""

    def __init__(self, settings: VariantSettings, vocabulary: frozenset[str]) -> None:
        self._noise = Noise(settings.noise, settings.abbreviations, vocabulary)
        self._settings = settings

    def __call__(self, tasks: list[_Task | None]) -> list[list[str]]:
        """Return the variants of each pair. A row without a task has none."""
        return [self._variants(*task) if task else [] for task in tasks]

    def _variants(self, identifier: str, text: str, context: Context) -> list[str]:
        rng = random.Random(f"{self._settings.seed} {identifier}")  # noqa: S311 - reproducible
        return list(self._noise.variants(text, self._settings.count, rng, context))
