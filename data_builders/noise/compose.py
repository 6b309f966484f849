"""Composition of random transforms of a text, none of which may change its meaning."""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial

from data_builders.noise.abbreviations import Abbreviations
from data_builders.noise.context import NO_CONTEXT, Context
from data_builders.noise.frames import framed
from data_builders.noise.spelling import casing, drop, near_key, swap
from data_builders.noise.wording import drop_stop_words, plural, reorder, shorten

VARIANT = "+variant"
"""Suffix of the `source` of a pair that is a variant."""

_TextTransform = Callable[[str, random.Random], str]
Transform = Callable[[str, random.Random, Context], str]

WEIGHTS: dict[str, float] = {
    "near_key": 1,
    "swap": 1,
    "drop": 1,
    "casing": 1,
    "reorder": 2,
    "plural": 1,
    "stop_words": 1,
    "short_form": 2,
    "abbreviation": 3,
    "expansion": 2,
    "frame": 2,
}
"""Weight of each transform in the random choice."""

_TRIES = 3
"""Number of attempts for each changed text."""

_MOST_FAILED = 6
"""Number of consecutive attempts without a new variant after which no more are made."""


class Noise:
    """Random changes of the spelling of a text that keep its meaning.

    A change is only made if the words that carry the meaning (`data_builders.noise.meaning`) are the
    same before and after it.

    Args:
        weights: Weight of each transform. Transforms that are not listed are not used.
        abbreviations: Abbreviations and their expansions. The default is the built-in list.
        vocabulary: Lower-case words that a typing error must not turn another word into: `peroneal` and
            `perineal` differ by one key.
    """

    def __init__(
        self,
        weights: Mapping[str, float] = WEIGHTS,
        abbreviations: Abbreviations | None = None,
        vocabulary: Container[str] = frozenset(),
    ) -> None:
        self._abbreviations = abbreviations or Abbreviations.load()
        transforms: dict[str, Transform] = {
            "near_key": _without_context(partial(near_key, known=vocabulary)),
            "swap": _without_context(partial(swap, known=vocabulary)),
            "drop": _without_context(partial(drop, known=vocabulary)),
            "casing": _without_context(casing),
            "reorder": _without_context(reorder),
            "plural": _without_context(plural),
            "stop_words": _without_context(drop_stop_words),
            "short_form": _without_context(shorten),
            "abbreviation": _without_context(self._abbreviations.abbreviate),
            "expansion": self._abbreviations.expand,
        }
        used = {
            name: weight for name, weight in weights.items() if name in transforms and weight > 0
        }
        self._transforms = [transforms[name] for name in used]
        self._weights = list(used.values())
        total = sum(self._weights)
        frame = weights.get("frame", 0)
        self._frame_share = frame / (total + frame) if total + frame else 0.0

    def change(self, text: str, rng: random.Random, context: Context = NO_CONTEXT) -> str:
        """Return a changed spelling, or the text itself if no transform can change it.

        Args:
            text: Text to change.
            rng: Random generator.
            context: Context of the text's code.
        """
        marks = self._abbreviations.marks(text)
        for _ in range(_TRIES):
            changed = text
            for transform in self._choose(rng):
                changed = transform(changed, rng, context)
            if context.frames and rng.random() < self._frame_share:
                changed = framed(changed, context.frames, rng)
            if changed != text and self._abbreviations.marks(changed) == marks:
                return changed
        return text

    def _choose(self, rng: random.Random) -> list[Transform]:
        """Return one or two transforms, or none if only frames have a weight."""
        count = 1 if rng.random() < 0.6 else 2
        return rng.choices(self._transforms, self._weights, k=count) if self._transforms else []

    def variants(
        self, text: str, count: int, rng: random.Random, context: Context = NO_CONTEXT
    ) -> Iterator[str]:
        """Yield up to `count` different changed spellings of a text.

        Args:
            text: Text to change.
            count: Largest number of spellings. Short texts have fewer.
            rng: Random generator.
            context: Context of the text's code.
        """
        seen = {text}
        failed = 0
        for _ in range(_TRIES * count):
            # A short text has few spellings, and looking for more would dominate the time.
            if len(seen) > count or failed == _MOST_FAILED:
                return
            changed = self.change(text, rng, context)
            failed += 1
            if changed not in seen:
                failed = 0
                seen.add(changed)
                yield changed


def _without_context(transform: _TextTransform) -> Transform:
    """Return a transform that ignores the context."""
    return lambda text, rng, context: transform(text, rng)
