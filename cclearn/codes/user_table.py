"""A code system from a user's own table: CPT, HCPCS, ICD-10-PCS, CIE-10-ES or any other.

A UTF-8 CSV file whose first line names these columns, in any order:

| column | | |
| --- | --- | --- |
| `code` | required | spelt as it shall be written |
| `description` | required | its title |
| `synonyms` | | other names, separated by a vertical bar |
| `parent` | | the code above, which has a row too |
| `billable` | | `1` or `0`; without the column every code with none below is billable |
| `release` | | the same in every row |
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
    """Read a user's table; a row's parent decides its place, rows keep their order.

    Raises:
        DataErrors: All problems, each with its line: columns missing or unknown, a row without a code
            or a description, two rows for one code, a parent that is no row or lies below its child,
            codes that a spreadsheet took for numbers, more than one release.
    """
    problems: list[DataError] = []
    rows = list(_rows(path, problems))
    place: dict[str, int] = {}
    for number, row in enumerate(rows):
        if row.code in place:
            first = rows[place[row.code]].line
            problems.append(
                DataError(path, f"{row.code} stands in line {first} too", row.line, "code")
            )
        place.setdefault(row.code, number)
    problems += _float_codes(path, rows)
    problems += _lost_parents(path, rows, place)
    releases = sorted({row.release for row in rows})
    if len(releases) > 1:
        problems.append(
            DataError(path, f"several releases: {', '.join(releases)}", field="release")
        )
    if not rows and not problems:
        problems.append(DataError(path, "holds no code"))
    if problems:
        raise DataErrors(problems)
    table = CodeTable(release=releases[0] or path.stem)
    parents = {row.parent for row in rows}
    for row in rows:
        table.add(
            row.code,
            row.description,
            place[row.parent] if row.parent else -1,
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
        wrong = [name for name in names if name not in COLUMNS]
        for name in wrong:
            problem = f"unknown column {name!r}.{did_you_mean(name, COLUMNS)}"
            problems.append(DataError(path, f"{problem} There are: {', '.join(COLUMNS)}.", 1))
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
    said = fields.get("billable", "").lower()
    if said and said not in _TRUTH:
        problems.append(DataError(path, "neither 1 nor 0", line, "billable"))
    return _Row(
        line,
        fields["code"],
        fields["description"],
        [name for part in fields.get("synonyms", "").split("|") if (name := part.strip())],
        fields.get("parent", ""),
        _TRUTH.get(said) if said else None,
        fields.get("release", ""),
    )


def _float_codes(path: Path, rows: list[_Row]) -> Iterator[DataError]:
    """Tell codes like `99213.0`: a spreadsheet or data frame took the column for numbers."""
    numbers = [row for row in rows if _NUMBER.fullmatch(row.code)]
    if numbers and all(row.code.endswith(".0") for row in numbers):
        for row in numbers:
            problem = f"{row.code} was read as a number. Write the column as text"
            yield DataError(path, problem, row.line, "code")


def _lost_parents(path: Path, rows: list[_Row], place: dict[str, int]) -> Iterator[DataError]:
    settled: set[str] = {""}
    for row in rows:
        if row.parent and row.parent not in place:
            problem = f"{row.parent} has no row.{did_you_mean(row.parent, place)}"
            yield DataError(path, problem, row.line, "parent")
            continue
        walked: list[str] = []
        code = row.code
        while code not in settled and code in place:
            if code in walked:
                problem = f"{row.code} lies below itself"
                yield DataError(path, problem, row.line, "parent")
                break
            walked.append(code)
            code = rows[place[code]].parent
        settled.update(walked)
