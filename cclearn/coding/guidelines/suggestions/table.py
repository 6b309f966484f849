"""The table of suggestions: what a note's values and drugs may support, and what explains them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from cclearn.codes.clinical_terms.tables import DRUGS, read_rows
from cclearn.coding.guidelines.suggestions.current import is_current_drug, is_current_value
from cclearn.coding.guidelines.suggestions.measurements import Quantity, quantities
from cclearn.coding.guidelines.suggestions.names import Names, NoteText, names_of
from cclearn.notes.spans import Span

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "<": (operator.lt, "below"),
    ">": (operator.gt, "above"),
    ">=": (operator.ge, "of at least"),
}
_VITAL_SIGNS = re.compile(r"pressure|saturation|temperature|rate")
_DRUG_SECTION = "I.A.19"


class Limit(NamedTuple):
    """A limit of a quantity. Values beyond it are evidence.

    Attributes:
        quantity: Lines of the table of measurements of the quantity.
        sign: Comparison of values with the limit: `<`, `>` or `>=`.
        bound: The limit, in the unit of the quantity.
    """

    quantity: tuple[Quantity, ...]
    sign: str
    bound: str

    @property
    def says(self) -> str:
        """The limit in words."""
        first = self.quantity[0]
        name = first.name.partition(" (")[0]
        return f"{name} {_COMPARISONS[self.sign][1]} {self.bound} {first.unit}".rstrip()

    @property
    def section(self) -> str:
        """Section of the guidelines on such values."""
        return self.quantity[0].section

    @property
    def names(self) -> tuple[Names, ...]:
        """Names of the quantity."""
        return tuple(line.names for line in self.quantity)

    def find(self, note: NoteText) -> list[Span]:
        """Return the values of a note beyond the limit, in order."""
        is_beyond, limit = _COMPARISONS[self.sign][0], float(self.bound)
        values = (value for line in self.quantity for value in line.values(note))
        return sorted((v.start, v.end) for v in values if is_beyond(v.number, limit))

    def is_current(self, note: NoteText, span: Span) -> bool:
        """Return whether a value is a present one of the patient."""
        vital = _VITAL_SIGNS.search(self.quantity[0].name) is not None
        return is_current_value(note, *span, vital=vital)


class Drugs(NamedTuple):
    """Drugs for one condition.

    Attributes:
        drugs: Names of the drugs.
    """

    drugs: Names

    @property
    def says(self) -> str:
        """The drugs in words."""
        first, *others = self.drugs.names
        return f"{first} or a similar drug" if others else first

    @property
    def section(self) -> str:
        """Section of the guidelines by which a drug is no diagnosis."""
        return _DRUG_SECTION

    @property
    def names(self) -> tuple[Names, ...]:
        """Names of the drugs."""
        return (self.drugs,)

    def find(self, note: NoteText) -> list[Span]:
        """Return the drugs of a note, in order."""
        return note.find(self.drugs)

    def is_current(self, note: NoteText, span: Span) -> bool:
        """Return whether the patient takes a drug."""
        return is_current_drug(note, *span)


class Suggestion(NamedTuple):
    """A line of the table of suggestions.

    Attributes:
        code: Code that the documented condition would have.
        evidence: Values or drugs that suggest it.
        is_for_adults: Whether the patient must not be known to be a child.
        is_for_males: Whether the patient must be known to be male.
        stems: Beginnings of codes that explain the evidence.
        words: Words that show that the condition was considered.
    """

    code: str
    evidence: Limit | Drugs
    is_for_adults: bool
    is_for_males: bool
    stems: tuple[str, ...]
    words: Names


@cache
def suggestions() -> tuple[Suggestion, ...]:
    """Return the lines of the table."""
    return tuple(
        Suggestion(
            code,
            _evidence(evidence),
            "adult" in patient.split(" "),
            "male" in patient.split(" "),
            tuple(stems.split(" ")),
            names_of(words),
        )
        for code, evidence, patient, stems, words in read_rows("suggestions.tsv", 5, __package__)
    )


def _evidence(written: str) -> Limit | Drugs:
    if written.startswith("drug: "):
        classes = {code: names.split("; ") for code, _, names in read_rows(DRUGS, 3)}
        names = written.removeprefix("drug: ").split("; ")
        return Drugs(Names(drug for name in names for drug in classes.get(name, [name])))
    name, sign, bound = written.rsplit(" ", 2)
    return Limit(tuple(line for line in quantities() if line.name == name), sign, bound)
