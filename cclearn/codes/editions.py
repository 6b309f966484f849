"""The changes from one edition of a code system to the next: which codes replaced which.

A table of changes has one of two forms, as CSV or with tabs:

- The columns `old` and `new`, in a table of your own and in those that come with the package. A code may
  have any number of rows, on either side.
- The columns `Current code assignment` and `Previous Code(s) Assignment`, in the CDC's conversion table
  of ICD-10-CM. Its cells may list several codes and ranges of codes.

Lines above the names of the columns, and other columns, are not read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from cclearn.codes.system import CodeSystem
from cclearn.errors import ConfigurationError, DataError, DataErrors, shown_id
from cclearn.runtime.files import decode_text, read_bytes

PACKAGED = "packaged"
"""Name of the table that comes with the package."""

_OWN = ("old", "new")
_CDC = ("previous code", "current code")
"""Beginnings of the names of the columns with the old and the new codes."""

_SEPARATOR = re.compile(r"[,;\n]|\band\b")
_RANGE = re.compile(r"(\S+?)\s*[-–]\s*(\S+)")
_CODE = re.compile(r"(?=.*\d)[\w.]+")

_MOST_DIGITS = 3
"""Maximum number of digits in which the ends of a range differ. A table cannot ask for endless codes."""


@dataclass(frozen=True, slots=True)
class EditionMap:
    """The codes of earlier editions that the codes of later editions replaced.

    Attributes:
        path: File of the table.
        previous: Codes that a code replaced, by the code, with those that they replaced in turn. The
            direct ones come first, in the order of the table.
        unread: Number of entries of a CDC table that are neither a code nor a range of codes, such as
            references to a group of categories.
    """

    path: Path
    previous: Mapping[str, tuple[str, ...]]
    unread: int = 0

    @classmethod
    def load(cls, source: str, system: CodeSystem) -> EditionMap:
        """Load a table of changes.

        Args:
            source: Path of a table, or `packaged` for the table that comes with the package. That of
                ICD-10-CM has the changes since fiscal year 2016 that can be derived from the lists of
                codes (`tools/editions.py` has the sources and the rules).
            system: The code system, whose release has the new codes.

        Raises:
            ConfigurationError: No table of the code system comes with the package.
            DataError: The file cannot be read, a line is not valid, or the table changes no code of the
                release. All such lines are reported.
        """
        if source != PACKAGED:
            return _read(Path(source), system)
        path = Path(__file__).with_name(f"{system.name}_editions.csv")
        if not path.is_file():
            raise ConfigurationError(
                [
                    f"edition map (edition_map = {source}): no table of {system.name} comes with"
                    " cclearn. Name a file with the columns old and new."
                ]
            )
        return _read(path, system)


def _read(path: Path, system: CodeSystem) -> EditionMap:
    problems: list[DataError] = []
    direct: dict[str, dict[str, None]] = {}
    unread = 0
    for row in _rows(path, problems):
        for new, old in product(map(system.canonical, row.new), map(system.canonical, row.old)):
            if row.own and old in direct.get(new, ()):
                problem = f"{shown_id(old)} and {shown_id(new)} have two rows"
                problems.append(DataError(path, problem, row.line))
            if old != new:
                direct.setdefault(new, {})[old] = None
        unread += len(row.unread)
        if row.own:
            for column in row.unread:
                problems.append(DataError(path, "not a code", row.line, column))
    if not problems and not direct:
        problems.append(DataError(path, "changes no code"))
    if not problems and not any(map(system.is_billable, direct)):
        problems.append(
            DataError(
                path,
                f"none of its new codes is billable in {system.name} {system.release}. Are old and new"
                " codes exchanged, or are they of another code system?",
            )
        )
    if problems:
        raise DataErrors(problems)
    return EditionMap(path, {new: _all_previous(new, direct) for new in direct}, unread)


def _all_previous(code: str, direct: Mapping[str, Mapping[str, None]]) -> tuple[str, ...]:
    """Return the codes that a code replaced directly or in several steps, the nearest first."""
    found: dict[str, None] = dict(direct[code])
    waiting = list(found)
    for previous in waiting:
        for older in direct.get(previous, ()):
            if older not in found and older != code:
                found[older] = None
                waiting.append(older)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a table: its codes, and the names of the columns of entries that are not codes."""

    line: int
    own: bool
    old: list[str]
    new: list[str]
    unread: list[str]


def _rows(path: Path, problems: list[DataError]) -> Iterator[_Row]:
    if path.suffix.lower() in (".xlsx", ".xls"):
        problems.append(DataError(path, "a workbook. Save its sheet as CSV, and name that file"))
        return
    text = decode_text(read_bytes(path), path).removeprefix("\ufeff")
    reader = csv.reader(
        text.splitlines(keepends=True), delimiter="\t" if "\t" in text else ",", strict=True
    )
    columns: tuple[int, int] | None = None
    own = True
    try:
        for values in reader:
            if columns is None:
                names = [value.strip().lower() for value in values]
                own = set(_OWN) <= set(names)
                columns = _columns(names, _OWN if own else _CDC)
            elif any(value.strip() for value in values):
                cells = [values[at] if at < len(values) else "" for at in columns]
                (old, bad_old), (new, bad_new) = map(_codes, cells)
                # In a CDC table, notes and codes without a previous code have one empty cell.
                unread = ["old"] * (bad_old or (own and not old))
                unread += ["new"] * (bad_new or (own and not new))
                yield _Row(reader.line_num, own, old, new, unread)
    except csv.Error as error:
        problems.append(DataError(path, f"not CSV: {error}", reader.line_num))
    if columns is None:
        problems.append(
            DataError(
                path,
                "needs the columns old and new, or those of the conversion table of the CDC (Current"
                " code assignment, Previous Code(s) Assignment)",
            )
        )


def _columns(names: list[str], beginnings: tuple[str, str]) -> tuple[int, int] | None:
    """Return the numbers of the columns with the old and the new codes, None if the names lack one."""
    found = [
        [number for number, name in enumerate(names) if name.startswith(beginning)]
        for beginning in beginnings
    ]
    return (found[0][0], found[1][0]) if all(found) else None


def _codes(cell: str) -> tuple[list[str], int]:
    """Return the codes of a cell, and the number of entries that are neither a code nor a range."""
    codes: list[str] = []
    unread = 0
    for entry in filter(None, (part.strip() for part in _SEPARATOR.split(cell))):
        ends = _RANGE.fullmatch(entry)
        if ends and _CODE.fullmatch(ends[1]) and _CODE.fullmatch(ends[2]):
            between = _between(ends[1], ends[2])
            codes += between
            unread += not between
        elif _CODE.fullmatch(entry):
            codes.append(entry)
        # The CDC writes "None" for a code that replaced no other.
        elif entry.lower() != "none":
            unread += 1
    return codes, unread


def _between(first: str, last: str) -> list[str]:
    """Return the codes of a range whose ends differ in a number at the end or in the last character."""
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    start, end = first[shared:], last[shared:]
    if not len(start) == len(end) <= _MOST_DIGITS or start >= end:
        return []
    if start.isdecimal() and end.isdecimal():
        numbers = range(int(start), int(end) + 1)
        return [f"{first[:shared]}{number:0{len(start)}}" for number in numbers]
    if len(start) == 1:
        characters = map(chr, range(ord(start), ord(end) + 1))
        return [first[:shared] + character for character in characters if character.isalnum()]
    return []
