"""Pairs followed by their variants."""

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
from data_builders.builder import Built
from data_builders.noise import VARIANT, Abbreviations, Noise
from data_builders.noise.context import Context, context_of, vocabulary
from data_builders.parallel import Spread

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
        abbreviations: Our list, or a user's table with it.
        seed: With a pair's id it decides everything.
    """

    count: int
    noise: dict[str, float]
    abbreviations: Abbreviations
    seed: int


def with_variants(
    rows: Iterable[Built],
    settings: VariantSettings,
    system: CodeSystem,
    claims: StringClaims,
    spread: Spread,
) -> Iterator[Built]:
    """Yield rows as they come, each pair with its variants behind it; they keep its grade.

    A variant that is a string of its own, of whichever code, is left out, and one that was made of the
    pair before it already.

    Args:
        rows: Pairs and others. No variants are made of a variant.
        settings: How many variants, of which kinds.
        system: The code system.
        claims: Which strings are some code's own.
        spread: Where they are made.
    """
    if not settings.count:
        yield from rows
        return
    code, said = "", set[str]()
    rows = iter(rows)
    batches, ahead = tee(iter(lambda: list(islice(rows, _BATCH)), []))
    make = partial(_Work, settings, vocabulary(system))
    tasks = (_tasks(batch, system) for batch in ahead)
    for made, batch in zip(spread(make, tasks), batches, strict=True):
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
        self._noise = Noise(settings.noise, settings.abbreviations, vocabulary)
        self._settings = settings

    def __call__(self, tasks: list[_Task | None]) -> list[list[str]]:
        """Return the variants of each pair; of a row that is to have none, none."""
        return [self._of(*task) if task else [] for task in tasks]

    def _of(self, identifier: str, text: str, context: Context) -> list[str]:
        order = random.Random(f"{self._settings.seed} {identifier}")  # noqa: S311 - reproducible
        return list(self._noise.variants(text, self._settings.count, order, context))
