"""Reading large CSV tables, compressed or not, row by row."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from cclearn.errors import DataError, foreign_errors

_LONGEST_FIELD = 2**31 - 1


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


def table_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the selected columns of every row.

    Args:
        path: Path of the table.
        columns: Names of the columns; case is ignored.

    Raises:
        DataError: The file cannot be read, or a column is missing.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    opened = gzip.open if path.suffix == ".gz" else open
    # A damaged compressed file raises errors that are not an OSError.
    with (
        foreign_errors(lambda location: DataError(path, f"cannot be read ({location})")),
        opened(path, "rt", encoding="utf-8", newline="") as stream,
    ):
        reader = csv.reader(stream)
        names = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in columns if name.lower() not in names]
        if missing:
            raise DataError(path, f"needs the columns {', '.join(missing)}", 1)
        indices = [names.index(name.lower()) for name in columns]
        for row in reader:
            if len(row) != len(names):
                problem = f"{len(row)} fields, the header has {len(names)}"
                raise DataError(path, problem, reader.line_num)
            yield tuple(row[index] for index in indices)
