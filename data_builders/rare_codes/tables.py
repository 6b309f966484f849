"""Reading of the tables of codes that the builder takes: counts, pairs and label spaces."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError, DataErrors
from cclearn.runtime.files import read_lines

COUNTS = ("count", "n_docs")
"""Names of the column with numbers of notes."""

_NUMBER = re.compile(r"[0-9]{1,12}")


def read_table(path: Path, columns: Sequence[Sequence[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield the values of some columns of a CSV file, each row with the number of its line.

    Args:
        path: Path of the file, whose first line has the names of the columns.
        columns: Possible names of each column.

    Raises:
        DataError: The file cannot be read, or a column is missing.
    """
    lines = read_lines(path)
    reader = csv.reader(lines)
    names = [name.strip().lower() for name in next(reader, [])]
    indices = []
    for choices in columns:
        found = [names.index(name) for name in choices if name in names]
        if not found:
            raise DataError(path, f"the column {choices[0]!r} is missing", 1)
        indices.append(found[0])
    for values in reader:
        if any(value.strip() for value in values):
            yield (
                reader.line_num,
                [values[i].strip() if i < len(values) else "" for i in indices],
            )


def read_counts(path: Path, system: CodeSystem) -> dict[str, int]:
    """Return the number of notes with each code, from a CSV file with the columns `code` and `count`.

    Args:
        path: Path of the file. The second column may be called `n_docs` instead.
        system: Code system, in whose spelling codes are returned.

    Raises:
        DataError: The file cannot be read, a number is invalid, or a code occurs twice. All such lines
            are reported.
    """
    counts: dict[str, int] = {}
    problems: list[DataError] = []
    for line, (code, number) in read_table(path, (("code",), COUNTS)):
        code = system.canonical(code)
        if not code:
            problems.append(DataError(path, "empty", line, "code"))
        elif code in counts:
            problems.append(DataError(path, "a code occurs twice", line, "code"))
        elif not _NUMBER.fullmatch(number):
            problems.append(DataError(path, "not a whole number", line, "count"))
        else:
            counts[code] = int(number)
    if problems:
        raise DataErrors(problems)
    return counts


def read_pair_counts(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield pairs of codes with the number of documents that have both.

    Args:
        path: Path of a CSV file with the columns `code_a`, `code_b` and `n_docs`.

    Raises:
        DataError: The file cannot be read, or a number is invalid.
    """
    for line, (one, two, number) in read_table(path, (("code_a",), ("code_b",), COUNTS[::-1])):
        if not _NUMBER.fullmatch(number):
            raise DataError(path, "not a whole number", line, "n_docs")
        yield one, two, int(number)


def read_labels(path: Path, system: CodeSystem) -> list[str]:
    """Return the codes of a label space, each once, in the order of the file.

    Args:
        path: Path of a file with a code in each line. What follows a comma or a tab is ignored, and so
            is a first line with the word `code`.
        system: Code system, in whose spelling codes are returned.

    Raises:
        DataError: The file cannot be read.
    """
    first = (re.split(r"[,\t]", line, maxsplit=1)[0].strip() for line in read_lines(path))
    return list(
        dict.fromkeys(
            system.canonical(code)
            for number, code in enumerate(first)
            if code and not (number == 0 and code.lower() == "code")
        )
    )
