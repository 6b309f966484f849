"""Laboratory values and vital signs in English notes, converted to one unit for each quantity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from cclearn.codes.clinical_terms.tables import read_rows
from cclearn.coding.guidelines.suggestions.names import Names, NoteText, names_of

_UNITS = {
    "mmol/mol": r"mmol/mol",
    "mmol/l": r"mmol(?:es)?(?: ?/ ?l(?:iter|itre)?|[ -]l-1| per lit(?:er|re))?(?![\w/])",
    "meq/l": r"meq(?: ?/ ?l(?:iter|itre)?|[ -]l-1| per lit(?:er|re))(?!\w)",
    "mg/dl": r"mg(?: ?/ ?dl| ?%| per decilit(?:er|re)| ?/ ?100 ?ml)",
    "g/dl": r"(?:g|gr|gm|gms|grams?)(?: ?/ ?dl| ?%| per decilit(?:er|re))?(?![\w/])",
    "g/l": r"(?:g|gr|gm) ?/ ?l\b",
    "umol/l": r"(?:[uµμ]mol|micromol) ?/ ?l\b",
    "ng/ml": r"ng ?/ ?ml",
    "pg/ml": r"pg ?/ ?ml",
    "ng/l": r"ng ?/ ?l\b",
    "ug/l": r"(?:[uµμ]g|mcg) ?/ ?l\b",
    "nmol/l": r"nmol ?/ ?l\b",
    "pmol/l": r"pmol ?/ ?l\b",
    "miu/l": r"(?:[muµμ]i?u|microu|microiu) ?/ ?m?l\b",
    "u/l": r"(?:i?u|ui|units?|u\.i\.) ?/ ?l\b",
    "ml/min": r"ml ?/ ?min(?:ute)?(?: ?/ ?1[.,]73 ?m(?:2|²|\^2)?)?",
    "l/l": r"l/l\b",
    "k/ul": r"(?:(?:x ?|× ?|\* ?)?10 ?(?:\^|\*|e)? ?\(?[39³⁹]\)?|(?<=\d)k|k(?= ?/)|thou(?:sand)?|th)"
    r"(?: ?(?:/|per) ?(?:[uµμ]l|mcl|mm ?(?:3|³|\^3)|l|cumm|microlit(?:er|re)))?(?![\w/])",
    "/ul": r"(?:cells|cel)? ?(?:/|per) ?(?:[uµμ]l|mcl|mm ?(?:3|³|\^3)|cumm|cubic mm|microlit(?:er|re))",
    "mmhg": r"mm ?hg",
    "kg/m2": r"kg ?/ ?m ?(?:2|²|\^2)?",
    "c": r"(?:[°º˚]|deg(?:rees?)?\.?)? ?c(?:elsius|entigrade)?(?![\w/])|[°º˚](?! ?f)",
    "f": r"(?:[°º˚]|deg(?:rees?)?\.?)? ?f(?:ahrenheit)?(?![\w/])",
    "bpm": r"(?:bpm|beats|b\.p\.m\.|lpm|x['’]|/ ?min|per minute)",
    "rpm": r"(?:rpm|breaths|br/min|/ ?min|per minute|x['’])",
    "%": r"%|percent|per cent",
    "dose or another unit": r"(?:mgs?|mcg|[uµμ]g|gm?|gr|grams?|meq|units?|i\.?u\.?|u|ml|cc|liters?"
    r"|tab(?:let)?s?|cap(?:sule)?s?|pills?|drops?|puffs?|doses?|days?|d|hours?|hrs?|weeks?|wks?"
    r"|months?|mos?|years?|yrs?|yo|minutes?|mins?|seconds?|times?|x|points?|mm|cm|kg|lbs?|pounds?"
    r"|st|nd|rd|th|packs?|hpf|lpf|lymphocytes|neutrophils|polys)(?![\w/-]|[ :=]{1,2}\d)"
    r"|(?:/|per) ?(?:hpf|hp|lpf|field|high|low|day|dose)|[./]\w",
}
"""Patterns of units by the names that the table of measurements uses, in the order of their search."""

_UNIT = re.compile(
    r"[ \t]?(?:"
    + "|".join(f"(?P<u{n}>{pattern})" for n, pattern in enumerate(_UNITS.values()))
    + ")"
)
_NAMES_OF_UNITS = tuple(_UNITS)

_WORDS = (
    r"levels?|counts?|values?|results?|concentrations?|readings?|measure[ds]|measuring|is|was"
    r"|were|are|of|at|to|as|in (?:the )?(?:clinic|office|ed|er)|in the|the|a|an|today|now"
    r"|currently|current|initial(?:ly)?"
    r"|repeat(?:ed)?|latest|recent|recorded|(?:on|at|upon) (?:room air|ra|admission|arrival"
    r"|presentation|exam(?:ination)?|triage|home)|home|here"
    r"|this (?:morning|visit)|serum|plasma|blood|total|only|just|about|approximately|around|low"
    r"|high|elevated|decreased|increased|reduced|markedly|severely|slightly|mildly|very|still"
    r"|again|up|down|back|came|come|returned|went|dropped|fell|rose|noted|found|show(?:s|ed|ing)"
    r"|has|had|been|be|and is|and was|from|figures?|room air|ra|r/a|cholesterol|panel|running"
)
_GAP = re.compile(
    rf"(?:2?\+{{1,2}})?+[)\]]?+(?:[ \t]*+(?:[:=|,*~≈]|-(?= ?\d)|(?:{_WORDS})(?![\w/])"
    r"|\([^()\d\n]{1,20}\)|[(\[][^()\[\]\n]{0,15}\d ?[-–] ?\d[^()\[\]\n]{0,15}[)\]]))"
    r"{0,7}+[ \t]*+[(\[]?"
)
"""The text between a name and its value: a charge (K+), signs, filling words, an abbreviation, or the
range of normal values."""

_NUMBER = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})++(?:\.\d++)?|\d++(?:[.,]\d++)?|\.\d++)")
_NOT_ALONE = re.compile(r"['s]?\d|[.,]\d| ?/ ?\d| ?[-–—] ?\d| (?:to|or) \d|[a-z]?\d|:\d|%?-\w")
"""What follows a number that is a part of a range, a date, a ratio, a time or a longer word."""

_PAIR = re.compile(
    r"(?P<first>\d{1,3}(?:\.\d+)?)'?s?[ \t]?(?:/|over|and)[ \t]?"
    r"(?P<second>\d{1,3}(?:\.\d+)?)(?![\d/.,]*\d|\w*/\d)"
)
_RANGE = re.compile(r" ?[-–—] ?\d| (?:to|or) \d")
_NEXT = re.compile(r"[ \t]*(?:-+>|→|=>|➔)[ \t]*")
_TO = re.compile(r"[ \t]*to[ \t]*")
_FROM = re.compile(r"\bfrom\s*\Z")


class Value(NamedTuple):
    """A value in a note.

    Attributes:
        number: Value in the unit of its quantity.
        start: Offset of the name of the quantity.
        end: Offset after the number.
    """

    number: float
    start: int
    end: int


class _Unit(NamedTuple):
    """How many of a unit are one of the quantity's own unit, and which bare numbers have the unit."""

    factor: float
    bare: tuple[float, float] | None


@dataclass(frozen=True, eq=False, slots=True)
class Quantity:
    """A line of the table of measurements.

    Attributes:
        name: Name of the quantity, which several lines may have.
        unit: Unit of the values.
        section: Section of the guidelines on its abnormal values.
        form: `number`, or `first` or `second` of two numbers, as in 120/80.
        names: How notes write the quantity.
        units: Units in which notes give it.
    """

    name: str
    unit: str
    section: str
    form: str
    names: Names
    units: dict[str, _Unit]

    def values(self, note: NoteText) -> list[Value]:
        """Return the values of the quantity in a note."""
        return note.once(self, lambda: list(self._values(note)))

    def _values(self, note: NoteText) -> Iterator[Value]:
        lowered = note.lowered
        for start, end in note.find(self.names):
            gap = _GAP.match(lowered, end)
            after = gap.end() if gap else end
            if self.form == "number":
                yield from self._numbers(lowered, start, after)
            elif pair := _PAIR.match(lowered, after):
                number = self._converted(float(pair[self.form]), "", bare=True)
                if number is not None:
                    yield Value(number, start, pair.end())

    def _numbers(self, lowered: str, start: int, after: int) -> Iterator[Value]:
        """Yield a number and those that it changed to: `138 -> 128`, `from 138 to 128`."""
        changes = _FROM.search(lowered, start, after) is not None
        while match := _NUMBER.match(lowered, after):
            unit = _UNIT.match(lowered, match.end())
            to = _TO.match(lowered, unit.end() if unit else match.end()) if changes else None
            if to is None and (
                _RANGE.match(lowered, unit.end())
                if unit
                else _NOT_ALONE.match(lowered, match.end())
            ):
                return
            name = _NAMES_OF_UNITS[int(unit.lastgroup[1:])] if unit and unit.lastgroup else ""
            number = self._converted(read_number(match[0]), name, bare=unit is None)
            if number is not None:
                yield Value(number, start, match.end())
            then = to or _NEXT.match(lowered, unit.end() if unit else match.end())
            if then is None:
                return
            after, changes = then.end(), False

    def _converted(self, number: float, unit: str, *, bare: bool) -> float | None:
        """Return a number in the unit of the quantity. None if it is implausible or in another unit."""
        if bare:
            for factor, plausible in self.units.values():
                if plausible is not None and plausible[0] <= number <= plausible[1]:
                    return number / factor
            return None
        if unit not in self.units:
            return None
        converted = number / self.units[unit].factor
        own = next(iter(self.units.values())).bare
        return converted if own is None or own[0] <= converted <= own[1] else None


def values_of(name: str, text: str) -> list[Value]:
    """Return the values of a quantity in a text, in order.

    Args:
        name: Name of the quantity in the table of measurements.
        text: Text of a note.
    """
    lines = [line for line in quantities() if line.name == name]
    words = frozenset(w for line in lines for words in line.names.words_of_each for w in words)
    note = NoteText(text, words)
    return sorted((value for line in lines for value in line.values(note)), key=_start_of)


def _start_of(value: Value) -> tuple[int, int]:
    return value.start, value.end


def read_number(written: str) -> float:
    """Return a written number. A comma parts thousands before three digits, otherwise decimals."""
    whole, _, digits = written.rpartition(",")
    if whole and "." not in digits and len(digits) != 3:
        return float(f"{whole}.{digits}")
    return float(written.replace(",", ""))


@cache
def quantities() -> tuple[Quantity, ...]:
    """Return the lines of the table of measurements."""
    rows = read_rows("measurements.tsv", 6, __package__)
    return tuple(
        Quantity(name, unit, section, form, names_of(names), _units(units))
        for name, unit, section, form, names, units in rows
    )


def _units(written: str) -> dict[str, _Unit]:
    units = {}
    for unit in written.split("; "):
        name, factor, *bare = unit.split(" ")
        low, _, high = bare[0].partition("-") if bare else ("", "", "")
        units[name] = _Unit(float(factor), (float(low), float(high)) if bare else None)
    return units
