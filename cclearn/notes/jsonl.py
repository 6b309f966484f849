"""Reading and writing the rows of the data contract as JSONL. Parquet files are read too."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from cclearn.codes import CodeSystem
from cclearn.errors import DataError, DataErrors, did_you_mean, shown_id
from cclearn.notes.contract import SCHEMA_VERSION, CodedNote, SpanPair
from cclearn.notes.parquet import parquet_rows
from cclearn.runtime.files import atomic_file, decode_text

RowT = TypeVar("RowT", bound=BaseModel)

_TABLES = (".csv", ".tsv", ".xls", ".xlsx", ".ods")
_NO_TABLE = (
    "it is a table. {names} are read from .jsonl and .parquet files. `cclearn build corpus` makes coded"
    " notes from tables of notes and codes."
)
_NAMES_OF_ROWS = {"CodedNote": "Coded notes", "SpanPair": "Span pairs", "Note": "These notes"}
"""What messages call the rows of each type."""

_LONGEST_KEY = 30
"""Maximum number of characters of an unknown key in a message."""

_MAX_PROBLEMS = 1_000
"""Number of problems after which a file is not read any further."""


def read_rows(path: Path, row_type: type[RowT]) -> Iterator[RowT]:
    """Stream the rows of a JSONL or a Parquet file.

    Args:
        path: Path of the file, which is read as Parquet if its name ends with `.parquet`. Empty lines of
            JSONL are skipped.
        row_type: Type of the rows: `Note`, `CodedNote` or `SpanPair`.

    Raises:
        DataError: The file is missing or not UTF-8, a line is not a JSON object, a field is missing,
            unknown or of another type, an id occurs twice, or a line has another schema version. The
            message has the form `file:line: field: problem` and never contains the row's content. The
            rows of a Parquet file count as lines. All problems are reported together after the last
            valid row.
    """
    if path.suffix == ".parquet":
        numbered = enumerate(parquet_rows(path), start=1)
        yield from checked_rows(
            (path, n, partial(parse_row, fields, row_type, path, n)) for n, fields in numbered
        )
        return
    if not path.is_file():
        raise DataError(path, "no such file")
    if path.suffix.lower() in _TABLES:
        raise DataError(path, _NO_TABLE.format(names=_NAMES_OF_ROWS.get(row_type.__name__, "rows")))
    with path.open("rb") as stream:
        yield from read_stream(stream, row_type, path)


def read_stream(stream: IO[bytes], row_type: type[RowT], name: object) -> Iterator[RowT]:
    """Stream the rows of an open JSONL file.

    Args:
        stream: Open file.
        row_type: Type of the rows.
        name: Name of the file in messages.

    Raises:
        DataError: A line is not a valid row.
    """
    numbered = enumerate(stream, start=1)
    return checked_rows(
        (name, n, partial(parse_line, raw, row_type, name, n)) for n, raw in numbered if raw.strip()
    )


def checked_rows(
    lines: Iterable[tuple[object, int | None, Callable[[], RowT]]],
    max_problems: int = _MAX_PROBLEMS,
) -> Iterator[RowT]:
    """Yield the valid rows, and report all problems after the last one.

    Args:
        lines: Triples of the name of a file in messages, a line number, and a function that returns the
            row of the line. The number is None if the rows are not lines of a file.
        max_problems: Number of problems after which reading stops.

    Raises:
        DataError: A row cannot be read, or an id occurs twice.
    """
    seen: set[str] = set()
    problems: list[DataError] = []
    for name, number, read in lines:
        try:
            row = read()
            identifier = str(getattr(row, "id", number))
            if identifier in seen:
                raise DataError(name, f"'{shown_id(identifier)}' occurs twice", number, "id")
        except DataError as error:
            problems.append(error)
            if len(problems) == max_problems:
                break
            continue
        seen.add(identifier)
        yield row
    if problems:
        raise problems[0] if len(problems) == 1 else DataErrors(problems)


def parse_line(raw: bytes, row_type: type[RowT], name: object, number: int) -> RowT:
    """Return the row in a line of JSONL.

    Args:
        raw: Bytes of the line.
        row_type: Type of the row.
        name: Name of the file in messages.
        number: Line number, counted from 1.

    Raises:
        DataError: The line is not a valid row.
    """
    if number == 1:
        raw = raw.removeprefix(BOM_UTF8)
    return parse_row(decode_json(raw, name, number), row_type, name, number)


def decode_json(raw: bytes, name: object, number: int | None = None) -> Any:
    """Return the value of JSON text. Raises DataError, whose message never quotes the text."""
    text = decode_text(raw, name, number).rstrip("\r\n")  # An error is in the line itself.
    try:
        value = json.loads(text)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise DataError(name, f"not JSON at column {error.colno}", number) from None
    except UnicodeEncodeError:
        raise DataError(name, "contains half of a surrogate pair", number) from None
    except (RecursionError, ValueError):
        raise DataError(name, "nested too deeply or with too long a number", number) from None
    return value


def parse_row(fields: Any, row_type: type[RowT], name: object, number: int | None = None) -> RowT:
    """Return the row in a parsed JSON value.

    Args:
        fields: Parsed value.
        row_type: Type of the row: `Note`, `CodedNote` or `SpanPair`.
        name: Name of the file in messages.
        number: Number of the row, counted from 1.

    Raises:
        DataError: The value is not a valid row.
    """
    if not isinstance(fields, dict):
        raise DataError(name, "not a JSON object", number)
    version = fields.pop("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        problem = f"only {SCHEMA_VERSION} is supported"
        raise DataError(name, problem, number, "schema_version")
    try:
        return row_type.model_validate(fields)
    except ValidationError as error:
        field, problem = _first_problem(error, row_type)
        raise DataError(name, problem, number, field) from None


def _first_problem(error: ValidationError, row_type: type[BaseModel]) -> tuple[str | None, str]:
    """Return the field and the description of the first problem, without quoting the row."""
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or None
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        message = f"unknown field.{did_you_mean(key, row_type.model_fields)}"
        # Such a key may be text of a note, and is left out of the message.
        if not key.isidentifier() or len(key) > _LONGEST_KEY:
            field = ".".join(str(part) for part in problem["loc"][:-1]) or None
    elif problem["type"] == "missing":
        message = "missing"
    elif problem["type"] == "string_unicode":
        message = "not UTF-8. Convert it first."
    return field, message


def row_to_json(row: BaseModel) -> str:
    """Return a row as one line of JSON with the schema version, without a newline at the end."""
    return f'{{"schema_version":{SCHEMA_VERSION},{row.model_dump_json()[1:]}'


def write_rows(path: str | Path, rows: Iterable[BaseModel]) -> int:
    """Write rows as JSONL. The file appears only when it is complete, readable by its owner only.

    Returns:
        Number of rows written.
    """
    count = 0
    with atomic_file(Path(path)) as stream:
        for row in rows:
            stream.write(row_to_json(row).encode("utf-8") + b"\n")
            count += 1
    return count


def read_coded_notes(path: str | Path, system: CodeSystem | None = None) -> Iterator[CodedNote]:
    """Stream coded notes.

    If a code system is given, codes are returned in its official spelling.

    Args:
        path: Path of a JSONL or a Parquet file.
        system: Code system of the notes.

    Raises:
        DataError: A line is not a valid coded note, or a note has two spellings of one code.
    """
    path = Path(path)
    for note in read_rows(path, CodedNote):
        assigned = (*note.codes, *note.rejected)
        if system is None or all(a.code == system.canonical(a.code) for a in assigned):
            yield note
            continue
        fields = note.model_dump()
        for assigned_fields in (*fields["codes"], *fields["rejected"]):
            assigned_fields["code"] = system.canonical(assigned_fields["code"])
        try:
            yield CodedNote.model_validate(fields)
        except ValidationError as error:
            field, problem = _first_problem(error, CodedNote)
            raise DataError(path, f"note '{shown_id(note.id)}': {problem}", field=field) from None


def read_span_pairs(path: Path, system: CodeSystem | None = None) -> Iterator[SpanPair]:
    """Stream span pairs.

    If a code system is given, codes are returned in its official spelling, and pairs without a release
    get the release of the system.

    Args:
        path: Path of a JSONL or a Parquet file.
        system: Code system of the pairs.

    Raises:
        DataError: A line is not a valid pair, or the code system does not contain a code.
    """
    for pair in read_rows(path, SpanPair):
        if system is None:
            yield pair
        elif pair.code not in system:
            problem = (
                f"pair '{shown_id(pair.id)}': {shown_id(pair.code)} is not in {system.name}"
                f" {system.release}. Remove the pair, or use a release that has the code."
            )
            raise DataError(path, problem, field="code")
        else:
            release = pair.release or system.release
            yield pair.model_copy(update={"code": system.canonical(pair.code), "release": release})
