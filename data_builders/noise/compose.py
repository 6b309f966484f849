"""Noise over any text: makers drawn at random, none of which may change the meaning."""

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
"""Ends the `source` of a pair that a variant was made for."""

_PlainMaker = Callable[[str, random.Random], str]
Maker = Callable[[str, random.Random, Context], str]

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
"""How often each maker is drawn."""

_TRIES = 3
_MOST_FAILED = 6
"""How often in a row a variant may turn out to be made already."""


class Noise:
    """Makes changed spellings of a text that mean the same.

    Every change is checked: the words that carry the meaning (`data_builders.noise.meaning`) are the
    same before and after, or the change is not made.

    Args:
        weights: How often each maker is drawn; those left out are not.
        abbreviations: Short and long forms.
        vocabulary: Words in small letters that no typing error may make of another: `peroneal` and
            `perineal` are a key apart.
    """

    def __init__(
        self,
        weights: Mapping[str, float] = WEIGHTS,
        abbreviations: Abbreviations | None = None,
        vocabulary: Container[str] = frozenset(),
    ) -> None:
        self._abbreviations = abbreviations or Abbreviations.load()
        makers: dict[str, Maker] = {
            "near_key": _alone(partial(near_key, known=vocabulary)),
            "swap": _alone(partial(swap, known=vocabulary)),
            "drop": _alone(partial(drop, known=vocabulary)),
            "casing": _alone(casing),
            "reorder": _alone(reorder),
            "plural": _alone(plural),
            "stop_words": _alone(drop_stop_words),
            "short_form": _alone(shorten),
            "abbreviation": _alone(self._abbreviations.abbreviate),
            "expansion": self._abbreviations.expand,
        }
        drawn = {name: weight for name, weight in weights.items() if name in makers and weight > 0}
        self._makers = [makers[name] for name in drawn]
        self._weights = list(drawn.values())
        total = sum(self._weights)
        frame = weights.get("frame", 0)
        self._frame_share = frame / (total + frame) if total + frame else 0.0

    def change(self, text: str, order: random.Random, context: Context = NO_CONTEXT) -> str:
        """Return a changed spelling, or the text itself where no maker finds anything to change.

        Args:
            text: What to change.
            order: Decides everything.
            context: What is known of the text's code.
        """
        marks = self._abbreviations.marks(text)
        for _ in range(_TRIES):
            changed = text
            for maker in self._drawn(order):
                changed = maker(changed, order, context)
            if context.frames and order.random() < self._frame_share:
                changed = framed(changed, context.frames, order)
            if changed != text and self._abbreviations.marks(changed) == marks:
                return changed
        return text

    def _drawn(self, order: random.Random) -> list[Maker]:
        """Return one maker or two; none where frames alone have a weight."""
        count = 1 if order.random() < 0.6 else 2
        return order.choices(self._makers, self._weights, k=count) if self._makers else []

    def variants(
        self, text: str, count: int, order: random.Random, context: Context = NO_CONTEXT
    ) -> Iterator[str]:
        """Yield up to `count` changed spellings of a text, no two alike.

        Args:
            text: What to change.
            count: How many at the most; short strings have fewer ways to be written.
            order: Decides everything.
            context: What is known of the text's code.
        """
        seen = {text}
        failed = 0
        for _ in range(_TRIES * count):
            # A short string is soon used up; to go on would take longer than all others.
            if len(seen) > count or failed == _MOST_FAILED:
                return
            changed = self.change(text, order, context)
            failed += 1
            if changed not in seen:
                failed = 0
                seen.add(changed)
                yield changed


def _alone(maker: _PlainMaker) -> Maker:
    """Let a maker do without the context."""
    return lambda text, order, context: maker(text, order)
