"""The records of files of rows: lines of JSON, and lines of comma- or tab-separated values (RFC 4180).

A record has the bytes that it was read from, so that a file can be divided between records.
"""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cclearn.errors import DataError
from cclearn.notes.jsonl import decode_json
from cclearn.runtime.files import decode_text

_SHORT_OF_A_QUOTE = "unexpected end of data"


class Record(NamedTuple):
    """A record of a file.

    Attributes:
        number: Number of its first line, from 1.
        raw: Its bytes, with the end of the line.
        is_row: Whether it is a row. Blank lines and the names of the columns are none.
        read: Function that returns the value of a row: the fields by their names, or any JSON value. It
            raises DataError, without text of the row, if the row cannot be read.
    """

    number: int
    raw: bytes
    is_row: bool
    read: Callable[[], Any]


class RecordFormat(ABC):
    """How a file is divided into records."""

    @abstractmethod
    def records(self, lines: Iterable[bytes], name: object, first: int = 1) -> Iterator[Record]:
        """Yield the records of lines. Together they contain every byte of the lines.

        Args:
            lines: Lines of a file, with their ends, from the beginning of a record.
            name: Name of the file in messages.
            first: Number of the first line in the file.
        """


class JSONLines(RecordFormat):
    """Each line is a JSON value."""

    def records(self, lines: Iterable[bytes], name: object, first: int = 1) -> Iterator[Record]:
        """Yield a record for each line."""
        for number, raw in enumerate(lines, first):
            value = raw.removeprefix(BOM_UTF8) if number == 1 else raw
            yield Record(
                number, raw, bool(value.strip()), partial(decode_json, value, name, number)
            )


class Delimited(RecordFormat):
    """The first line has the names of the columns, and each record the values of a row.

    A value with a delimiter, a quotation mark or the end of a line is in quotation marks.

    Args:
        header: First line of the file.
        name: Name of the file in messages.
        delimiter: Character between values. None for the first one of the tab, the comma, the semicolon
            and the bar that the header contains; a header without any of them has one column.

    Attributes:
        names: Names of the columns.

    Raises:
        DataError: The header cannot be read, or two columns have the same name.
    """

    def __init__(self, header: bytes, name: object, delimiter: str | None = None) -> None:
        text = decode_text(header.removeprefix(BOM_UTF8), name, 1)
        found = (mark for mark in "\t,;|" if mark in text)
        self._delimiter = delimiter or next(found, ",")
        try:
            self.names = next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except csv.Error:
            raise DataError(name, "the names of the columns cannot be read", 1) from None
        if len(set(self.names)) < len(self.names):
            raise DataError(name, "two columns have the same name", 1)

    @classmethod
    def of(cls, path: Path) -> Delimited:
        """Return the format of a `.csv` or a `.tsv` file."""
        with path.open("rb") as stream:
            return cls(stream.readline(), path, "\t" if path.suffix.lower() == ".tsv" else None)

    def records(self, lines: Iterable[bytes], name: object, first: int = 1) -> Iterator[Record]:
        """Yield a record for each row, which may have several lines."""
        taken: list[bytes] = []

        def texts() -> Iterator[str]:
            for line in lines:
                taken.append(line)
                # A record that is not UTF-8 must not end the others.
                yield line.decode("utf-8", "surrogateescape")

        source = texts()
        number = first
        while True:
            values: list[str] = []
            problem = ""
            try:
                # A reader that has failed cannot be used again. It reads no line ahead.
                values = next(csv.reader(source, delimiter=self._delimiter, strict=True))
            except StopIteration:
                return
            except csv.Error as error:
                problem = "the quotation marks are wrong"
                if _SHORT_OF_A_QUOTE in str(error):
                    problem = "a quotation mark is not closed"
            raw = b"".join(taken)
            read = partial(self._fields, raw, values, problem, name, number)
            yield Record(number, raw, number > 1 and bool(values or problem), read)
            number += len(taken)
            taken.clear()

    def _fields(
        self, raw: bytes, values: list[str], problem: str, name: object, number: int
    ) -> dict[str, str]:
        decode_text(raw, name, number)
        if problem:
            raise DataError(name, problem, number)
        if len(values) != len(self.names):
            wrong = f"{len(values)} values, but there are {len(self.names)} columns"
            raise DataError(name, wrong, number)
        return dict(zip(self.names, values, strict=True))
