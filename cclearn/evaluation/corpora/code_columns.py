"""The codes in columns of tables, as one code, a list, or several columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from sys import intern
from typing import Any

from cclearn.errors import ConfigurationError, DataError
from cclearn.evaluation.corpora.base import UnusableRow
from cclearn.evaluation.corpora.tables import Row, Table, as_text
from cclearn.notes.columns import is_missing

_SEPARATORS = re.compile(r"[;,|\s]+")

_PUNCTUATION = "[](){}'\""
"""Characters around codes in a list that was written as text."""

LIKE_A_CODE = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9.+-]{1,14}")

_VERSION = re.compile(r"((icd|code)_?)?(version|system|type)", re.IGNORECASE)
"""Names of a column that tells which classification a code belongs to."""


@dataclass(frozen=True, slots=True)
class CodeColumns:
    """The columns of a table that contain codes.

    Attributes:
        table: The table.
        names: Names of the columns.
        where: Values that columns must have in a row, by the names of the columns. The codes of other
            rows are not read.
    """

    table: Table
    names: Sequence[str]
    where: Mapping[str, str]

    @classmethod
    def of(cls, table: Table, patterns: Sequence[str], where: Mapping[str, str]) -> CodeColumns:
        """Return the columns of a table in its spelling.

        Args:
            table: The table.
            patterns: Names of columns, which may contain `*`.
            where: Values that columns must have in a row, by the names of the columns.

        Raises:
            DataError: There is no such column.
            ConfigurationError: A column tells the classification of the codes, and `where` does not
                choose one.
        """
        names = table.names()
        found: dict[str, None] = {}
        for pattern in patterns:
            if "*" in pattern:
                matching = [name for name in names if fnmatchcase(name.lower(), pattern.lower())]
                if not matching:
                    raise DataError(table.path, f"no column matches {pattern!r} (codes={pattern})")
                found |= dict.fromkeys(matching)
            else:
                found[table.find(pattern, "codes", names)] = None
        versions = [name for name in names if _VERSION.fullmatch(name.strip())]
        if versions and not where:
            raise ConfigurationError(
                [
                    f"codes ({table.path}): the column {versions[0]} may tell which classification a"
                    f" code belongs to. Choose the rows, e.g. 'where={{{versions[0]}: 10}}'."
                ]
            )
        kept = {table.find(name, "where", names): value for name, value in where.items()}
        return cls(table, list(found), kept)

    def codes(self, row: Row, note: str) -> Iterator[str | UnusableRow]:
        """Yield the codes of a row, and an `UnusableRow` for each value that is none.

        Args:
            row: The row.
            note: Id of the row's note.
        """
        if any(as_text(row.fields.get(name)) != value for name, value in self.where.items()):
            return
        for name in self.names:
            for code, problem in _codes(row.fields.get(name)):
                if problem:
                    yield UnusableRow(self.table.path, problem, row.number, note, code)
                else:
                    yield intern(code)


def _codes(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the codes in a value, each with the problem that it has; an empty string if it has none."""
    if isinstance(value, dict):
        value = value.get("code")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for part in value:
            yield from _codes(part)
    elif isinstance(value, str):
        for token in _SEPARATORS.split(value):
            code = token.strip(_PUNCTUATION)
            if code:
                yield code, "" if LIKE_A_CODE.fullmatch(code) else "not a code"
    elif not is_missing(value):
        # 428.0 and 428 are different codes, and the same number.
        yield str(value), "a number, whose zeros may be lost: give codes as text"
