"""Reading the order file of ICD-10-CM: every code of a release with its validity and titles."""

from __future__ import annotations

import gzip
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cclearn.codes.table import CodeTable, Kind
from cclearn.errors import DataError, DataErrors

_LINE = re.compile(r"(?P<order>\d{5}) (?P<code>[A-Z0-9]{3,7}) +(?P<billable>[01]) (?P<titles>.+)")
_SHORT_TITLE = slice(16, 76)
_LONG_TITLE = slice(77, None)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A line of an order file.

    Attributes:
        code: Code without its dot.
        billable: Whether the code may be assigned to an encounter.
        short_title: Abbreviated title.
        title: Official title.
    """

    code: str
    billable: bool
    short_title: str
    title: str


def read_order_file(path: Path) -> list[OrderRow]:
    """Read an order file, `.txt` or `.txt.gz`.

    The columns are fixed. Counted from 0, they are: order number 0-4, code 6-12, billable 14, short
    title 16-75, long title from 77 (CMS, "ICD-10-CM order file", layout.txt of each release).

    Raises:
        DataError: The file cannot be read, or lines do not have this form. All such lines are reported.
    """
    rows: list[OrderRow] = []
    problems: list[DataError] = []
    seen: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        title = line[_LONG_TITLE].strip()
        if match is None or not title:
            problems.append(DataError(path, "not a line of an order file", number))
            continue
        code = match["code"]
        if code in seen:
            problems.append(DataError(path, f"{code} occurs twice", number, "code"))
        seen.add(code)
        rows.append(OrderRow(code, match["billable"] == "1", line[_SHORT_TITLE].strip(), title))
    if not rows:
        problems.append(DataError(path, "contains no code"))
    if problems:
        raise DataErrors(problems)
    return rows


def table_of_order_file(path: Path, release: str, above: CodeTable) -> CodeTable:
    """Return the table of an order file alone, which has titles and validity but no notes.

    Args:
        path: Path of the order file.
        release: Name of the release.
        above: Table whose chapters and blocks are used, because the order file has none and they
            rarely change. A category outside all of its blocks has no parent.
    """
    rows = read_order_file(path)
    table = CodeTable(release=release)
    blocks = _Blocks(above)
    row_of: dict[str, int] = {}
    for row in rows:
        parent = next((row_of[p] for p in _prefixes(row.code) if p in row_of), None)
        kind = Kind.SUBCATEGORY
        if parent is None:
            parent, kind = blocks.block_of(row.code, table), Kind.CATEGORY
        row_of[row.code] = table.add(
            dotted(row.code),
            row.title,
            parent,
            kind,
            billable=row.billable,
            short_title=row.short_title,
        )
    return table


def dotted(code: str) -> str:
    """Return a code of ICD-10-CM with its dot: `A00.0` for `A000`."""
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 else code


def _prefixes(code: str) -> Iterator[str]:
    return (code[:length] for length in range(len(code) - 1, 2, -1))


class _Blocks:
    """Finds the block of a category, and copies it and its chapter when they are first needed."""

    def __init__(self, table: CodeTable) -> None:
        self._table = table
        self._blocks: list[tuple[str, str, int]] = []
        for row, kind in enumerate(table.kind):
            if kind == Kind.BLOCK:
                first, _, last = table.code[row].partition("-")
                self._blocks.append((first, last, row))
        self._blocks.sort()
        self._block = {
            table.code[row]: table.parent[row]
            for row, kind in enumerate(table.kind)
            if kind == Kind.CATEGORY
        }
        self._copied: dict[int, int] = {}

    def block_of(self, category: str, into: CodeTable) -> int:
        """Return the row of a category's block, -1 if there is none."""
        row = self._block.get(category)
        if row is None:  # The category is new: find the block whose range contains it.
            at = bisect_right(self._blocks, category, key=lambda block: block[0]) - 1
            row = self._blocks[at][2] if at >= 0 and category <= self._blocks[at][1] else -1
        return self._copy(row, into)

    def _copy(self, row: int, into: CodeTable) -> int:
        if row < 0:
            return -1
        if row not in self._copied:
            parent = self._copy(self._table.parent[row], into)
            name, title = self._table.code[row], self._table.description[row]
            self._copied[row] = into.add(name, title, parent, Kind(self._table.kind[row]))
        return self._copied[row]


def _lines(path: Path) -> Iterator[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="\n") as stream:
            yield from stream
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, f"cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise DataError(path, f"not UTF-8 at byte {error.start}") from None
