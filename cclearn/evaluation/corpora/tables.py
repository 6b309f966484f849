"""Large CSV tables, packed or not, read line by line."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from cclearn.errors import DataError, foreign_errors

_LONGEST_FIELD = 2**31 - 1


def find_table(folder: Path, name: str) -> Path:
    """Return `NAME.csv` or `NAME.csv.gz` of a folder or of one below it. Raises DataError."""
    for pattern in (f"{name}.csv", f"{name}.csv.gz"):
        found = sorted(folder.rglob(pattern))
        if found:
            return found[0]
    raise DataError(folder, f"holds no {name}.csv or {name}.csv.gz")


def table_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield these columns of every row; their names are compared without case.

    Raises:
        DataError: The file cannot be read or lacks a column.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    opened = gzip.open if path.suffix == ".gz" else open
    # Damage of a packed file is told in several ways, which OSError does not cover.
    with (
        foreign_errors(lambda place: DataError(path, f"cannot be read ({place})")),
        opened(path, "rt", encoding="utf-8", newline="") as stream,
    ):
        reader = csv.reader(stream)
        names = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in columns if name.lower() not in names]
        if missing:
            raise DataError(path, f"needs the columns {', '.join(missing)}", 1)
        places = [names.index(name.lower()) for name in columns]
        for row in reader:
            if len(row) != len(names):
                problem = f"{len(row)} fields, the header has {len(names)}"
                raise DataError(path, problem, reader.line_num)
            yield tuple(row[place] for place in places)
