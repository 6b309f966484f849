"""Workbooks for spreadsheets (XLSX). The same cells give the same bytes."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.runtime.files import atomic_file

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

_CREATED = datetime.datetime(2000, 1, 1)
"""Time in every workbook, so that the same cells give the same bytes."""

_WIDTH = 16
"""Width of the columns, in characters."""

_LONGEST = 32_767
"""Largest number of characters of a cell in Excel. Longer text would be left out."""

_OPTIONS = {
    # Otherwise text of notes would be in temporary files, which a killed process would leave.
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


@contextmanager
def workbook(path: Path, overwrite: bool = True) -> Iterator[Workbook]:
    """Write a workbook, which gets its name only when it is complete (`atomic_file`).

    Its cells are kept in memory until then.

    Args:
        path: Path of the file.
        overwrite: Whether an existing file is replaced.

    Raises:
        CclearnError: The file exists and `overwrite` is false, or another run is writing it.
    """
    from xlsxwriter import Workbook

    with atomic_file(path, overwrite) as stream, Workbook(stream, _OPTIONS) as book:
        book.set_properties({"created": _CREATED})
        yield book


class Sheet:
    """A sheet whose rows are written one after the other.

    Args:
        book: Workbook of the sheet.
        name: Name of the sheet.
        head: Headings of the columns.
    """

    def __init__(self, book: Workbook, name: str, head: list[str]) -> None:
        self._sheet: Worksheet = book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(head) - 1, _WIDTH)
        self._row = -1
        self.write(head)

    def write(self, cells: Sequence[object]) -> None:
        """Write the next row. Numbers are numbers, and all else is text, which is never a formula."""
        self._row += 1
        for column, value in enumerate(cells):
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._sheet.write_number(self._row, column, value)
            elif value is not None and value != "":
                self._sheet.write_string(self._row, column, str(value)[:_LONGEST])
