"""Reading and writing the rows of the contract: JSONL, the interchange format, and Parquet."""

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
from cclearn.notes.contract import SCHEMA_VERSION, CodedNote, Note, SpanPair
from cclearn.notes.parquet import parquet_rows
from cclearn.runtime.files import atomic_file, decode_text, read_bytes

Row = TypeVar("Row", bound=BaseModel)

_LONGEST_KEY = 30

_MOST_PROBLEMS = 1_000
"""A file with so many is read no further."""


def read_rows(path: Path, row_type: type[Row]) -> Iterator[Row]:
    """Stream the rows of a JSONL or a Parquet file.

    Args:
        path: The file, Parquet where its name ends so; empty lines of JSONL are passed over.
        row_type: `Note`, `CodedNote` or `SpanPair`.

    Raises:
        DataError: As `file:line: field: problem`, never with a row's content: the file is missing or
            not UTF-8, a line is not a JSON object, a field is missing, unknown or of another type,
            an id stands twice, or a line has another schema version. Rows of Parquet count as lines.
            All problems are told at once, behind the last row that is right.
    """
    if path.suffix == ".parquet":
        numbered = enumerate(parquet_rows(path), start=1)
        yield from checked_rows(
            ((n, partial(parse_row, fields, row_type, path, n)) for n, fields in numbered), path
        )
        return
    if not path.is_file():
        raise DataError(path, "no such file")
    with path.open("rb") as stream:
        yield from read_stream(stream, row_type, path)


def read_stream(stream: IO[bytes], row_type: type[Row], name: object) -> Iterator[Row]:
    """Stream the rows of an open JSONL file, which messages call `name`. Raises DataError."""
    numbered = enumerate(stream, start=1)
    return checked_rows(
        ((n, partial(parse_line, raw, row_type, name, n)) for n, raw in numbered if raw.strip()),
        name,
    )


def checked_rows(
    lines: Iterable[tuple[int | None, Callable[[], Row]]],
    name: object,
    most_problems: int = _MOST_PROBLEMS,
) -> Iterator[Row]:
    """Yield the rows that are right, no id twice. Raises DataError with all problems, at the end.

    Args:
        lines: The number of each, and what reads it.
        name: What messages call the place.
        most_problems: The number of problems at which reading ends.
    """
    seen: set[str] = set()
    problems: list[DataError] = []
    for number, read in lines:
        try:
            row = read()
            identifier = str(getattr(row, "id", number))
            if identifier in seen:
                raise DataError(name, f"'{shown_id(identifier)}' stands twice", number, "id")
        except DataError as error:
            problems.append(error)
            if len(problems) == most_problems:
                break
            continue
        seen.add(identifier)
        yield row
    if problems:
        raise problems[0] if len(problems) == 1 else DataErrors(problems)


def parse_line(raw: bytes, row_type: type[Row], name: object, number: int) -> Row:
    """Return the row that a line of JSONL holds; `name` and `number` are for the DataError."""
    if number == 1:
        raw = raw.removeprefix(BOM_UTF8)
    return parse_row(parse_json(raw, name, number), row_type, name, number)


def parse_json(raw: bytes, name: object, number: int | None = None) -> Any:
    """Return what JSON text says. Raises DataError, never with a word of it."""
    text = decode_text(raw, name, number)
    try:
        value = json.loads(text)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise DataError(name, f"not JSON at column {error.colno}", number) from None
    except UnicodeEncodeError:
        raise DataError(name, "holds half of a surrogate pair", number) from None
    except (RecursionError, ValueError):
        raise DataError(name, "nested too deeply or with too long a number", number) from None
    return value


def parse_row(fields: Any, row_type: type[Row], name: object, number: int | None = None) -> Row:
    """Return the row that parsed JSON holds.

    Args:
        fields: What was parsed.
        row_type: `Note`, `CodedNote` or `SpanPair`.
        name: What messages call the place.
        number: Of the row, counted from 1.

    Raises:
        DataError: As for `read_rows`.
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
    """Tell the first problem, by field, in words that do not quote the row."""
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or None
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        message = f"unknown field.{did_you_mean(key, row_type.model_fields)}"
        if not key.isidentifier() or len(key) > _LONGEST_KEY:  # It may be a note's text.
            field = ".".join(str(part) for part in problem["loc"][:-1]) or None
    elif problem["type"] == "missing":
        message = "missing"
    elif problem["type"] == "string_unicode":
        message = "not UTF-8. Convert it first."
    return field, message


def row_to_json(row: BaseModel) -> str:
    """Return a row as one line of JSON with its schema version, without the final newline."""
    return f'{{"schema_version":{SCHEMA_VERSION},{row.model_dump_json()[1:]}'


def write_rows(path: Path, rows: Iterable[BaseModel]) -> int:
    """Write rows as JSONL, whole or not at all, readable by their owner alone.

    Returns:
        How many rows were written.
    """
    count = 0
    with atomic_file(path) as stream:
        for row in rows:
            stream.write(row_to_json(row).encode("utf-8") + b"\n")
            count += 1
    return count


def read_notes(path: Path) -> Iterator[Note]:
    """Stream the notes of a `.txt` file, a folder of them, or of rows of `id` and `text`.

    Rows are read from `.jsonl` and `.parquet`.

    A text file's id is its name without the ending. Text is taken as it is: no newline conversion.

    Raises:
        DataError: Nothing there can be read, or something is not what it should be: all of it is told at
            once, behind the last note that is right.
    """
    if path.is_dir():
        files = text_files(path)
        yield from checked_rows(((None, partial(_read_text, file)) for file in files), path)
    elif path.suffix in (".jsonl", ".parquet"):
        yield from read_rows(path, Note)
    else:
        yield _read_text(path)


def text_files(folder: Path) -> list[Path]:
    """Return the text files of a folder, by name. Raises DataError where it holds none."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise DataError(folder, "holds no .txt file")
    return files


def text_note(path: Path, content: bytes) -> Note:
    """Return the note that a text file is; its name without the ending is the id. Raises DataError."""
    identifier = path.stem or path.name
    try:
        identifier.encode()
    except UnicodeEncodeError:
        raise DataError(path, "its name is not UTF-8. Rename the file.", field="id") from None
    return parse_row({"id": identifier, "text": decode_text(content, path)}, Note, path)


def _read_text(path: Path) -> Note:
    return text_note(path, read_bytes(path))


def read_coded_notes(path: Path, system: CodeSystem | None = None) -> Iterator[CodedNote]:
    """Stream coded notes, their codes in the official spelling where a system is given.

    Raises:
        DataError: The file is not what it should be, or two spellings of one code stand in a note.
    """
    for note in read_rows(path, CodedNote):
        assigned = (*note.codes, *note.rejected)
        if system is None or all(a.code == system.canonical(a.code) for a in assigned):
            yield note
            continue
        fields = note.model_dump()
        for each in (*fields["codes"], *fields["rejected"]):
            each["code"] = system.canonical(each["code"])
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
        DataError: The file is not what it should be, or the system does not hold a code.
    """
    for pair in read_rows(path, SpanPair):
        if system is None:
            yield pair
        elif pair.code not in system:
            problem = (
                f"pair '{shown_id(pair.id)}': {shown_id(pair.code)} is not in {system.name}"
                f" {system.release}"
            )
            raise DataError(path, problem, field="code")
        else:
            release = pair.release or system.release
            yield pair.model_copy(update={"code": system.canonical(pair.code), "release": release})
