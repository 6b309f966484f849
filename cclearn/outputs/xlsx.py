"""A workbook with a row for each piece of evidence."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.outputs.delimited import note_rows, with_metadata_columns, without_controls
from cclearn.outputs.output import Output
from cclearn.runtime.files import atomic_file

_CREATED = datetime.datetime(2000, 1, 1)
"""Time in every workbook, so that the same notes give the same bytes."""

_LONGEST = 32_767
"""Largest number of characters of a cell in Excel. Longer text would be left out."""

_WIDTH = 16
"""Width of the columns, in characters."""

_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


class XLSX(Output):
    """Writes a sheet with the rows of `TSV`. Scores and offsets are numbers, all other cells text.

    A cell of text is never a formula, so that it needs no mark as in `TSV`.
    """

    name = "xlsx"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Raise ConfigurationError, because a workbook is not text."""
        raise ConfigurationError(
            ["format (format = xlsx): a workbook is a file. Name it with --out."]
        )

    def write(self, notes: Iterable[CodedNote], overwrite: bool = True) -> int:
        """Write the workbook atomically, and return the number of notes."""
        from xlsxwriter import Workbook

        if self.out is None:
            raise ValueError("the output has no path")
        written = 0
        with atomic_file(self.out, overwrite) as stream, Workbook(stream, _OPTIONS) as book:
            book.set_properties({"created": _CREATED})
            sheet = book.add_worksheet("codes")
            sheet.freeze_panes(1, 0)
            columns, notes = with_metadata_columns(notes)
            sheet.write_row(0, 0, columns)
            sheet.set_column(0, len(columns) - 1, _WIDTH)
            row = 0
            for note in notes:
                written += 1
                for fields in note_rows(note):
                    row += 1
                    for column, name in enumerate(columns):
                        value = fields.get(name, "")
                        if isinstance(value, int | float):
                            sheet.write_number(row, column, value)
                        elif value:
                            sheet.write_string(row, column, without_controls(value)[:_LONGEST])
        return written
