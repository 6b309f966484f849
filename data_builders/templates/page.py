"""A note while it is written: its text, the offsets of its mentions, and the words of its slots."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from cclearn.notes.spans import Span
from data_builders.content.pattern import parse_pattern
from data_builders.noise import Noise
from data_builders.noise.spelling import drop, lower_first, near_key, swap
from data_builders.templates.statements import Patient, Statement

_VITALS = {
    "systolic": "106..138",
    "diastolic": "60..86",
    "pulse": "60..98",
    "respirations": "14..20",
    "temperature": "97.4..98.9",
    "saturation": "95..99",
}
"""Vital signs of a patient without facts that change them."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)

_STARTS = ("\n", ". ", ": ", "- ", "* ", "• ", "# ", "? ")
"""Ends of a text after which a mention begins with a capital letter."""

_SAME = frozenset(("surname",))
"""Slots that have the same words in all of a note."""

_TYPING = (near_key, swap, drop)

_TYPING_SHARE = 0.15
"""Share of the sentences without a mention that have a typing error, as a part of the noise."""


class Page:
    """The text of a note, to which words and mentions are added.

    Args:
        rng: Random generator of the note.
        patient: The patient.
        statements: Facts that the note documents.
        slots: Words of slots by the name of the slot.
        noise: Changes of the spelling of mentions.
        share: Share of the mentions that are changed.

    Attributes:
        spans: Spans of the mentions of each statement.
        distractors: Spans of the mentions that are no evidence.
    """

    def __init__(
        self,
        rng: random.Random,
        patient: Patient,
        statements: Sequence[Statement],
        slots: dict[str, tuple[str, ...]],
        noise: Noise,
        share: float,
    ) -> None:
        self.rng = rng
        self.statements = statements
        self.spans: list[list[Span]] = [[] for _ in statements]
        self.distractors: list[Span] = []
        self._slots = slots
        self._noise = noise
        self._share = share
        self._pieces: list[str] = []
        self._length = 0
        self._tail = "\n"
        self._used: set[str] = set()
        self._values = self._patient_values(patient)

    @property
    def text(self) -> str:
        """The text that has been written."""
        return "".join(self._pieces)

    @property
    def length(self) -> int:
        """Number of characters that have been written."""
        return self._length

    @property
    def at_line_start(self) -> bool:
        """Whether nothing has been written on the last line."""
        return self._tail.endswith("\n")

    def write(self, text: str) -> None:
        """Add a text."""
        if text:
            self._pieces.append(text)
            self._length += len(text)
            self._tail = text[-2:] if len(text) > 1 else self._tail[-1:] + text

    def choice(self, items: Sequence[str]) -> str:
        """Return a random item."""
        return items[int(self.rng.random() * len(items))]

    def number(self, low: int, high: int) -> int:
        """Return a random number of a range, both ends included."""
        return low + int(self.rng.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """Return True with a probability."""
        return self.rng.random() < share

    def sentence(self, text: str, slot: Callable[[str], None] | None = None) -> None:
        """Add the text of a pattern.

        Args:
            text: The pattern.
            slot: Function that writes the words of the slots that are mentions. None for a pattern
                without mentions, which may get a typing error.
        """
        if slot is not None:
            parse_pattern(text).fill(self.rng, self._write_begun, slot)
            return
        pieces: list[str] = []
        parse_pattern(text).fill(
            self.rng, pieces.append, lambda name: pieces.append(self.value(name))
        )
        written = "".join(pieces)
        if self.chance(self._share * _TYPING_SHARE):
            written = _TYPING[int(self.rng.random() * len(_TYPING))](written, self.rng)
        self._write_begun(written)

    @property
    def _begins(self) -> bool:
        """Whether the next word begins a sentence, an item or a line."""
        return self._tail.endswith(_STARTS)

    def _write_begun(self, text: str) -> None:
        """Add a text, with a capital letter if it begins a sentence."""
        self.write(text[:1].upper() + text[1:] if self._begins else text)

    def write_slot(self, name: str) -> None:
        """Add the words of a slot that is no mention."""
        self._write_begun(self.value(name))

    def value(self, name: str) -> str:
        """Return the words of a slot that is no mention."""
        if name in self._values:
            return self._values[name]
        pieces: list[str] = []
        parse_pattern(self.choice(self._slots[name])).fill(
            self.rng, pieces.append, lambda other: pieces.append(self.value(other))
        )
        if name in _SAME:
            self._values[name] = "".join(pieces)
        return "".join(pieces)

    def mention(self, statement: Statement, number: int | None = None) -> None:
        """Add a mention of a statement.

        Args:
            statement: The statement.
            number: Index of the statement, if the mention is evidence.
        """
        rng = self.rng
        words = statement.words
        text = ""
        for _ in range(3):  # A second mention uses other words if there are some.
            text = parse_pattern(words[int(rng.random() * len(words))]).text(rng)
            if text not in self._used:
                break
        self._used.add(text)
        if rng.random() < self._share:
            text = self._noise.change(text, rng, statement.context)
        if self._begins:
            if rng.random() < 0.85:
                text = text[:1].upper() + text[1:]
        else:
            text = lower_first(text)
        start = self._length
        self.write(text)
        spans = self.distractors if number is None else self.spans[number]
        spans.append((start, self._length))

    def _patient_values(self, patient: Patient) -> dict[str, str]:
        rng, female = self.rng, patient.sex == "female"
        signs = dict(_VITALS)
        values = {}
        for statement in self.statements:
            for name, pattern in (statement.vitals or {}).items():
                signs[name] = pattern
        for name, numbers in signs.items():
            text = numbers if numbers.startswith("{") else f"{{{numbers}}}"
            values[name] = parse_pattern(text).text(rng)
        month, day, year = self.number(0, 11), self.number(1, 27), self.number(19, 25)
        stay = self.number(2, 9)
        form = self.number(0, 2)

        def date(day: int) -> str:
            over, day = divmod(day - 1, 28)
            at = (month + over) % 12
            if form == 0:
                return f"{at + 1:02}/{day + 1:02}/20{year}"
            if form == 1:
                return f"{_MONTHS[at]} {day + 1}, 20{year}"
            return f"{at + 1}/{day + 1}/{year}"

        values |= {
            "age": str(patient.age),
            "sex": "female" if female else "male",
            "he": "she" if female else "he",
            "his": "her" if female else "his",
            "him": "her" if female else "him",
            "man": "woman" if female else "man",
            "title": ("Ms." if patient.age < 40 else "Mrs.") if female else "Mr.",
            "date": date(day),
            "later": date(day + stay),
            "earlier": date(max(1, day - 3)),
            "days": str(stay),
            "weight": str(self.number(48, 102)),
            "height": str(self.number(150, 178) if female else self.number(162, 190)),
        }
        return values
