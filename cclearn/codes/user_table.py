"""A code system from a user's table: CPT, HCPCS, ICD-10-PCS, CIE-10-ES or any other.

The table is a UTF-8 CSV file. Its first line names these columns, in any order:

| column | | |
| --- | --- | --- |
| `code` | required | code in its official spelling |
| `description` | required | official title |
| `synonyms` | | other names, separated by vertical bars |
| `parent` | | code of the parent, which must have a row too |
| `billable` | | `1` or `0`; without the column all codes without children are billable |
| `release` | | name of the release, the same in every row |
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cclearn.codes.table import CodeTable, Kind
from cclearn.errors import DataError, DataErrors, did_you_mean
from cclearn.runtime.files import decode_text, read_bytes

COLUMNS = ("code", "description", "synonyms", "parent", "billable", "release")
REQUIRED = ("code", "description")

_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(slots=True)
class _Row:
    line: int
    code: str
    description: str
    synonyms: list[str]
    parent: str
    billable: bool | None
    release: str


def read_user_table(path: Path) -> CodeTable:
    """Read a user's table. Rows keep their order.

    Raises:
        DataErrors: Columns are missing or unknown, a row has no code or no description, a code has two
            rows, a parent has no row or is below its child, a spreadsheet has converted codes to
            numbers, or there is more than one release. All problems are reported with their lines.
    """
    problems: list[DataError] = []
    rows = list(_rows(path, problems))
    row_of: dict[str, int] = {}
    for number, row in enumerate(rows):
        if row.code in row_of:
            first = rows[row_of[row.code]].line
            problems.append(DataError(path, f"{row.code} is in line {first} too", row.line, "code"))
        row_of.setdefault(row.code, number)
    problems += _number_problems(path, rows)
    problems += _parent_problems(path, rows, row_of)
    releases = sorted({row.release for row in rows})
    if len(releases) > 1:
        problems.append(
            DataError(path, f"several releases: {', '.join(releases)}", field="release")
        )
    if not rows and not problems:
        problems.append(DataError(path, "contains no code"))
    if problems:
        raise DataErrors(problems)
    table = CodeTable(release=releases[0] or path.stem)
    parents = {row.parent for row in rows}
    for row in rows:
        table.add(
            row.code,
            row.description,
            row_of[row.parent] if row.parent else -1,
            Kind.SUBCATEGORY if row.parent else Kind.CATEGORY,
            {"inclusion_terms": row.synonyms},
            billable=row.code not in parents if row.billable is None else row.billable,
        )
    return table


def _rows(path: Path, problems: list[DataError]) -> Iterator[_Row]:
    text = decode_text(read_bytes(path), path).removeprefix("\ufeff")
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        for name in (name for name in names if name not in COLUMNS):
            problem = f"unknown column {name!r}.{did_you_mean(name, COLUMNS)}"
            problems.append(DataError(path, f"{problem} The columns are: {', '.join(COLUMNS)}.", 1))
        for name in REQUIRED:
            if name not in names:
                problems.append(DataError(path, f"the column {name!r} is missing", 1))
        if problems:
            return
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(names):
                count = f"{len(values)} fields, the header has {len(names)}"
                problems.append(DataError(path, count, reader.line_num))
                continue
            fields = dict(zip(names, (value.strip() for value in values), strict=True))
            yield _row(path, reader.line_num, fields, problems)
    except csv.Error as error:
        problems.append(DataError(path, f"not CSV: {error}", reader.line_num))


def _row(path: Path, line: int, fields: dict[str, str], problems: list[DataError]) -> _Row:
    for name in REQUIRED:
        if not fields[name]:
            problems.append(DataError(path, "empty", line, name))
    billable = fields.get("billable", "").lower()
    if billable and billable not in _TRUTH:
        problems.append(DataError(path, "neither 1 nor 0", line, "billable"))
    return _Row(
        line,
        fields["code"],
        fields["description"],
        [name for part in fields.get("synonyms", "").split("|") if (name := part.strip())],
        fields.get("parent", ""),
        _TRUTH.get(billable) if billable else None,
        fields.get("release", ""),
    )


def _number_problems(path: Path, rows: list[_Row]) -> Iterator[DataError]:
    """Yield the codes that a spreadsheet or a data frame has converted to numbers, like `99213.0`."""
    numbers = [row for row in rows if _NUMBER.fullmatch(row.code)]
    if numbers and all(row.code.endswith(".0") for row in numbers):
        for row in numbers:
            problem = f"{row.code} was converted to a number. Write the column as text"
            yield DataError(path, problem, row.line, "code")


def _parent_problems(path: Path, rows: list[_Row], row_of: dict[str, int]) -> Iterator[DataError]:
    checked: set[str] = {""}
    for row in rows:
        if row.parent and row.parent not in row_of:
            problem = f"{row.parent} has no row.{did_you_mean(row.parent, row_of)}"
            yield DataError(path, problem, row.line, "parent")
            continue
        walked: list[str] = []
        code = row.code
        while code not in checked and code in row_of:
            if code in walked:
                problem = f"{row.code} is below itself"
                yield DataError(path, problem, row.line, "parent")
                break
            walked.append(code)
            code = rows[row_of[code]].parent
        checked.update(walked)
