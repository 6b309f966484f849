"""Tables of any format, read row by row: CSV, TSV, JSONL, Parquet, and folders of `datasets`.

CSV, TSV and JSONL files may be compressed with gzip.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from cclearn.errors import DataError, did_you_mean, foreign_errors
from cclearn.evaluation.corpora.base import ALL, UnusableRow
from cclearn.notes.columns import is_missing, shown_names
from cclearn.notes.parquet import column_names, parquet_rows
from cclearn.notes.records import Delimited, JSONLines

_LINES = {".jsonl": None, ".ndjson": None, ".csv": "", ".tsv": "\t"}
"""Delimiter of each kind of file with lines: None for JSON, empty for the one that the header shows."""

SUFFIXES = (*_LINES, ".parquet")
"""Suffixes of the files of tables."""

_UNREADABLE = "the row cannot be read"


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        number: Number of the line or of the row, from 1.
        fields: Values by the names of the columns.
    """

    number: int
    fields: Mapping[str, Any]


class Table:
    """A table in a file, or in a folder that `datasets.Dataset.save_to_disk` has written.

    Args:
        path: Path of the file or folder.
        split: Split of a folder with several.

    Raises:
        DataError: The table cannot be opened.
    """

    def __init__(self, path: Path, split: str = ALL) -> None:
        self.path, self._split = path, split
        self._suffix = _suffix(path)
        if not path.exists():
            raise DataError(path, "no such file")
        if not path.is_dir() and self._suffix not in SUFFIXES:
            known = ", ".join(SUFFIXES)
            raise DataError(path, f"not a table. Tables are read from files ending with {known}.")

    def names(self) -> list[str]:
        """Return the names of the columns, or of the fields of the first row of JSON.

        Raises:
            DataError: The file cannot be read.
        """
        if self.path.is_dir():
            return list(self._dataset().column_names)
        if self._suffix == ".parquet":
            return column_names(self.path)
        if _LINES[self._suffix] is None:
            first = next((row for row in self.rows() if isinstance(row, Row)), None)
            return [] if first is None else list(first.fields)
        with self._opened() as stream:
            return self._format(stream.readline()).names

    def find(self, name: str, what: str, names: Sequence[str]) -> str:
        """Return the name of a column in the spelling of the table, whose case may differ.

        Args:
            name: Name that the user wrote.
            what: Setting that named it, for the message. Empty if no setting did.
            names: Names of the columns of the table.

        Raises:
            DataError: There is no such column.
        """
        alike = [known for known in names if known.strip().lower() == name.strip().lower()]
        if name in names or alike:
            return name if name in names else alike[0]
        readable = [known for known in names if known.isidentifier()]
        raise DataError(
            self.path,
            f"there is no column {name!r}{f' ({what}={name})' if what else ''}."
            f"{did_you_mean(name, readable)} The columns are: {shown_names(names)}.",
        )

    def rows(self) -> Iterator[Row | UnusableRow]:
        """Yield the rows, and an `UnusableRow` for each that cannot be read.

        Raises:
            DataError: The file cannot be read.
        """
        if self.path.is_dir():
            for number, fields in enumerate(self._dataset(), start=1):
                yield Row(number, fields)
        elif self._suffix == ".parquet":
            for number, fields in enumerate(parquet_rows(self.path), start=1):
                yield Row(number, fields)
        else:
            yield from self._lines()

    def _lines(self) -> Iterator[Row | UnusableRow]:
        with self._opened() as stream:
            is_json = _LINES[self._suffix] is None
            first = b"" if is_json else stream.readline()
            format_ = JSONLines() if is_json else self._format(first)
            for record in format_.records(stream, self.path, 1 if is_json else 2):
                if not record.is_row:
                    continue
                try:
                    fields = record.read()
                except DataError as error:
                    yield UnusableRow(self.path, _UNREADABLE, record.number, detail=error.reason)
                    continue
                if isinstance(fields, dict):
                    yield Row(record.number, fields)
                else:
                    detail = "not a JSON object"
                    yield UnusableRow(self.path, _UNREADABLE, record.number, detail=detail)

    def _format(self, header: bytes) -> Delimited:
        return Delimited(header, self.path, _LINES[self._suffix] or None)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        # A damaged compressed file raises errors that are not an OSError.
        with (
            foreign_errors(lambda where: DataError(self.path, f"cannot be read ({where})")),
            self.path.open("rb") as stream,
        ):
            is_packed = self.path.suffix.lower() == ".gz"
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if is_packed else stream

    def _dataset(self) -> Any:
        """Return the `datasets.Dataset` of a folder."""
        import datasets

        with foreign_errors(
            lambda where: DataError(
                self.path,
                f"not a folder of `datasets` ({where}). Name the format of another corpus:"
                " `cclearn benchmark --list`.",
            )
        ):
            found = datasets.load_from_disk(str(self.path))
        if isinstance(found, datasets.Dataset):
            return found
        if self._split == ALL:
            return datasets.concatenate_datasets(list(found.values()))
        if self._split not in found:
            raise DataError(
                self.path, f"no split {self._split!r}; there are: {', '.join(sorted(found))}"
            )
        return found[self._split]


def column_rows(
    path: Path, columns: Sequence[str], where: Mapping[str, str] | None = None
) -> Iterator[tuple[int, tuple[str, ...]] | UnusableRow]:
    """Yield the number and the selected values of every row, as text that is not stripped.

    Args:
        path: Path of the table.
        columns: Names of the columns; case is ignored.
        where: Values that columns must have in a row, by the names of the columns. None for all rows.

    Raises:
        DataError: The file cannot be read, or a column is missing.
    """
    table = Table(path)
    names = table.names()
    chosen = [table.find(name, "", names) for name in columns]
    wanted = [(table.find(n, "", names), value) for n, value in (where or {}).items()]
    for row in table.rows():
        if isinstance(row, UnusableRow):
            yield row
        elif all(as_text(row.fields.get(name)) == value for name, value in wanted):
            values = (row.fields.get(name) for name in chosen)
            yield row.number, tuple(v if isinstance(v, str) else as_text(v) for v in values)


def find_table(folder: Path, name: str) -> Path:
    """Return the path of `NAME.csv` or `NAME.csv.gz` in a folder or its subfolders.

    Raises:
        DataError: There is no such file.
    """
    for pattern in (f"{name}.csv", f"{name}.csv.gz"):
        found = sorted(folder.rglob(pattern))
        if found:
            return found[0]
    raise DataError(folder, f"contains no {name}.csv or {name}.csv.gz")


def as_text(value: Any) -> str:
    """Return a value of a table as text, for ids and names. A missing value is empty.

    A whole number has no decimal point, also if a missing value elsewhere in its column made it a float.
    """
    if is_missing(value):
        return ""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes[-1:] == [".gz"]:
        return suffixes[0] if len(suffixes) == 2 else ""
    return suffixes[-1] if suffixes else ""
