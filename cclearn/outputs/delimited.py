"""TSV and CSV: a line for each piece of evidence, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from cclearn.notes import CodedNote
from cclearn.notes.evidence_rows import COLUMNS, evidence_rows, metadata_column
from cclearn.outputs.output import Output

_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
"""Characters that are replaced by a blank: quotes keep their length, and terminals are safe."""

_FORMULA = re.compile(r"['\s]*[=+\-@＝＋－＠]")
"""Start of a cell that a spreadsheet may read as a formula (OWASP, CSV injection)."""


class TSV(Output):
    """Writes a header and a line for each piece of evidence of each code, including rejected codes.

    One line with otherwise empty cells is written for a code without evidence, for a quote that is not
    in the note (flag `ungrounded`), for an answer that may not be assigned (flag `invalid`), and for a
    note with none of these. Fields with quotation marks are quoted as in CSV. Flags are joined by ` | `.
    """

    name = "tsv"
    dialect = "excel-tab"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield the header, then all lines of a note together."""
        columns, notes = with_metadata_columns(notes)
        yield self._lines(columns, [{column: column for column in columns}])
        for note in notes:
            yield self._lines(columns, evidence_rows(note))

    def _lines(self, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
        lines = io.StringIO()
        table = csv.DictWriter(
            lines, columns, dialect=self.dialect, lineterminator="\n", extrasaction="ignore"
        )
        table.writerows({column: cell_text(value) for column, value in row.items()} for row in rows)
        return lines.getvalue()


class CSV(TSV):
    """Writes the rows of `TSV` with commas, for spreadsheets."""

    name = "csv"
    dialect = "excel"


def with_metadata_columns(
    notes: Iterable[CodedNote],
) -> tuple[list[str], Iterator[CodedNote]]:
    """Return the columns of a table of notes, and the notes.

    A column for each field in the metadata of the first note follows the others. The notes of a table
    have the same fields.
    """
    stream = iter(notes)
    first = list(islice(stream, 1))
    kept = [metadata_column(key) for note in first for key in note.metadata]
    return [*COLUMNS, *kept], chain(first, stream)


def cell_text(value: object) -> str:
    """Return a value as the text of a cell, which no spreadsheet reads as a formula."""
    text = without_controls(value)
    return f"'{text}" if _FORMULA.match(text) else text


def without_controls(value: object) -> str:
    """Return a value as text on one line, with blanks for control characters."""
    return str(value).translate(_CONTROLS)
