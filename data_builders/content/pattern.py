"""Patterns of text, as clinical coders write them in YAML.

A pattern is a text with braces: `{slot}` stands for a word that the note decides, `{one|two|}` for one
of its alternatives, and `{1.2..3.4}` for a number with as many decimals as its first one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

_SLOT = re.compile(r"[a-z][a-z_]*")
_NUMBERS = re.compile(r"(\d+(?:\.(\d+))?)\.\.(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a pattern that the note fills.

    Attributes:
        name: Name of the slot.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Texts of which one is chosen."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """A range of numbers, both ends included, with a fixed number of decimals."""

    low: float
    high: float
    decimals: int

    def text(self, rng: random.Random) -> str:
        """Return a number of the range as text."""
        return f"{self.low + rng.random() * (self.high - self.low):.{self.decimals}f}"


Part = str | Slot | Alternatives | Numbers


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text with slots, alternatives and numbers.

    Attributes:
        parts: Parts of the text in their order.
        slots: Names of the slots.
    """

    parts: tuple[Part, ...]
    slots: frozenset[str]

    def fill(
        self, rng: random.Random, write: Callable[[str], None], slot: Callable[[str], None]
    ) -> None:
        """Write the text.

        Args:
            rng: Random generator, which chooses alternatives and numbers.
            write: Function that receives each piece of the text.
            slot: Function that receives the name of each slot, and writes its words.
        """
        after_blank, left_out = True, False
        for part in self.parts:
            if isinstance(part, Slot):
                slot(part.name)
                after_blank = left_out = False
                continue
            if isinstance(part, str):
                # An empty alternative between two blanks leaves one of them.
                text = part[1:] if left_out and after_blank and part[0] == " " else part
            elif isinstance(part, Alternatives):
                text = part.texts[int(rng.random() * len(part.texts))]
            else:
                text = part.text(rng)
            left_out = not text
            if text:
                write(text)
                after_blank = text[-1] == " "

    def text(self, rng: random.Random) -> str:
        """Return the text of a pattern without slots."""
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        pieces: list[str] = []
        self.fill(rng, pieces.append, _refuse_slot)
        return " ".join("".join(pieces).split())


def _refuse_slot(name: str) -> None:
    raise AssertionError(f"the pattern has the slot {name}")


@lru_cache(maxsize=1 << 16)
def parse_pattern(text: str) -> Pattern:
    """Return the pattern of a text.

    Args:
        text: Text with braces.

    Raises:
        ValueError: A brace has no partner, or what is between braces is no slot, no alternatives and no
            numbers.
    """
    parts: list[Part] = []
    position = 0
    for match in re.finditer(r"\{([^{}]*)\}", text):
        parts.append(_literal(text[position : match.start()]))
        parts.append(_inside(match[1]))
        position = match.end()
    parts.append(_literal(text[position:]))
    kept = tuple(part for part in parts if part != "")
    return Pattern(kept, frozenset(part.name for part in kept if isinstance(part, Slot)))


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("a brace has no partner")
    return text


def _inside(text: str) -> Part:
    if "|" in text:
        return Alternatives(tuple(text.split("|")))
    if numbers := _NUMBERS.fullmatch(text):
        low, high = float(numbers[1]), float(numbers[3])
        if low > high:
            raise ValueError(f"{text}: the first number is greater than the second")
        return Numbers(low, high, len(numbers[2] or ""))
    if _SLOT.fullmatch(text):
        return Slot(text)
    raise ValueError(
        f"{{{text}}}: neither a slot, nor alternatives with |, nor numbers such as 1.2..3.4"
    )
