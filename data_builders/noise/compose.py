"""Noise over any text: makers drawn at random, none of which may change the meaning."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from data_builders.noise.abbreviations import Abbreviations
from data_builders.noise.frames import framed
from data_builders.noise.spelling import casing, drop, near_key, swap
from data_builders.noise.wording import drop_stop_words, plural, reorder, shorten

VARIANT = "+variant"
"""Ends the `source` of a pair that a variant was made for."""

Maker = Callable[[str, random.Random], str]

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
    """

    def __init__(
        self, weights: Mapping[str, float] = WEIGHTS, abbreviations: Abbreviations | None = None
    ) -> None:
        self._abbreviations = abbreviations or Abbreviations.load()
        makers: dict[str, Maker] = {
            "near_key": near_key,
            "swap": swap,
            "drop": drop,
            "casing": casing,
            "reorder": reorder,
            "plural": plural,
            "stop_words": drop_stop_words,
            "short_form": shorten,
            "abbreviation": self._abbreviations.abbreviate,
            "expansion": self._abbreviations.expand,
        }
        drawn = {name: weight for name, weight in weights.items() if name in makers and weight > 0}
        self._makers = [makers[name] for name in drawn]
        self._weights = list(drawn.values())
        total = sum(self._weights)
        frame = weights.get("frame", 0)
        self._frame_share = frame / (total + frame) if total + frame else 0.0

    def change(self, text: str, order: random.Random, frames: tuple[str, ...] = ()) -> str:
        """Return a changed spelling, or the text itself where no maker finds anything to change.

        Args:
            text: What to change.
            order: Decides everything.
            frames: Pieces of sentences to put it into, now and then.
        """
        marks = self._abbreviations.marks(text)
        for _ in range(_TRIES):
            changed = text
            for maker in self._drawn(order):
                changed = maker(changed, order)
            if frames and order.random() < self._frame_share:
                changed = framed(changed, frames, order)
            if changed != text and self._abbreviations.marks(changed) == marks:
                return changed
        return text

    def _drawn(self, order: random.Random) -> list[Maker]:
        """Return one maker or two; none where frames alone have a weight."""
        count = 1 if order.random() < 0.6 else 2
        return order.choices(self._makers, self._weights, k=count) if self._makers else []

    def variants(
        self, text: str, count: int, order: random.Random, frames: tuple[str, ...] = ()
    ) -> Iterator[str]:
        """Yield up to `count` changed spellings of a text, no two alike.

        Args:
            text: What to change.
            count: How many at the most; short strings have fewer ways to be written.
            order: Decides everything.
            frames: As for `change`.
        """
        seen = {text}
        failed = 0
        for _ in range(_TRIES * count):
            # A short string is soon used up; to go on would take longer than all others.
            if len(seen) > count or failed == _MOST_FAILED:
                return
            changed = self.change(text, order, frames)
            failed += 1
            if changed not in seen:
                failed = 0
                seen.add(changed)
                yield changed
