"""A workbook with a row for each piece of evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.evidence_rows import evidence_rows
from cclearn.outputs.delimited import with_metadata_columns, without_controls
from cclearn.outputs.output import Output
from cclearn.runtime.workbooks import Sheet, workbook


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
        if self.out is None:
            raise ValueError("the output has no path")
        written = 0
        with workbook(self.out, overwrite) as book:
            columns, notes = with_metadata_columns(notes)
            sheet = Sheet(book, "codes", columns)
            for note in notes:
                written += 1
                for fields in evidence_rows(note):
                    values = (fields.get(column, "") for column in columns)
                    sheet.write([without_controls(v) if isinstance(v, str) else v for v in values])
        return written
