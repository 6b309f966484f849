"""The notes of a user's files: text files, lines of JSON, tables, and folders of text files."""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Literal

from cclearn.errors import DataError, DataErrors
from cclearn.notes.columns import NoteColumns, shown_names
from cclearn.notes.contract import Note
from cclearn.notes.jsonl import checked_rows, parse_row
from cclearn.notes.parquet import column_names, parquet_rows
from cclearn.notes.records import Delimited, JSONLines, Record, RecordFormat
from cclearn.runtime.files import decode_text, read_bytes

_Row = tuple[object, int | None, Callable[[], Note]]
"""The name of a file, the number of a line of it, and a function that returns the note of the line."""

InputKind = Literal["text", "jsonl", "delimited", "parquet"]

_KINDS: dict[str, InputKind] = {
    "": "text",
    ".txt": "text",
    ".text": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".parquet": "parquet",
}
"""Kind of a file by its suffix in lower case."""

_PICTURES = dict.fromkeys(
    (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
    "it is a picture. Recognise its text with an OCR program, and name the text file",
)
_REMEDIES = {
    **_PICTURES,
    ".pdf": "it is a PDF. Extract its text, e.g. with `pdftotext FILE.pdf`, and name the text file",
    ".doc": "it is a document of Word. Save it as plain text (UTF-8), and name the .txt file",
    ".docx": "it is a document of Word. Save it as plain text (UTF-8), and name the .txt file",
    ".odt": "it is a document of LibreOffice. Save it as plain text (UTF-8), and name the .txt file",
    ".rtf": "it is rich text. Save it as plain text (UTF-8), and name the .txt file",
    ".htm": "it is a web page. Extract its text, and name the .txt file",
    ".html": "it is a web page. Extract its text, and name the .txt file",
    ".xml": "it is XML. Extract the text of the notes, and name a .txt or a .jsonl file",
    ".xls": "it is a workbook. Save its sheet as CSV (UTF-8), and name the .csv file",
    ".xlsx": "it is a workbook. Save its sheet as CSV (UTF-8), and name the .csv file",
    ".json": "it is one JSON value. Write one object in each line of a .jsonl file, e.g. with pandas'"
    " to_json(orient='records', lines=True)",
    ".gz": "it is compressed. Decompress it first",
    ".zip": "it is compressed. Decompress it first",
}
"""What to do about files that are often taken for notes, by suffix."""

READABLE = ".txt, .jsonl, .csv, .tsv or .parquet"
"""Suffixes of files that contain notes, for messages."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file with notes.

    Attributes:
        path: Path of the file.
        kind: Kind of the file.
        id: Id of the note in a text file: the name of the file without its suffix. In a folder, it is
            the path below the folder. Empty for files of rows.
    """

    path: Path
    kind: InputKind
    id: str = ""

    def format(self) -> RecordFormat:
        """Return the format of a file with lines."""
        return Delimited.of(self.path) if self.kind == "delimited" else JSONLines()


@dataclass(frozen=True, slots=True)
class NoteSource:
    """Where notes come from. It can be pickled.

    Attributes:
        paths: Files, and folders whose text files are read, also those in folders below them.
        columns: Columns of tables and fields of rows that are read.
    """

    paths: tuple[Path, ...]
    columns: NoteColumns = field(default_factory=NoteColumns)

    def __str__(self) -> str:
        return " ".join(map(str, self.paths))

    def resolved(self) -> NoteSource:
        """Return the source with absolute paths, for a process with another working directory."""
        return replace(self, paths=tuple(path.resolve() for path in self.paths))

    def files(self) -> list[InputFile]:
        """Return the files of the paths, in their order; those of a folder by their names.

        Raises:
            DataError: A path is missing or cannot contain notes, a folder has no text file, or a table
                lacks a column. All problems are reported together.
        """
        found: list[InputFile] = []
        problems: list[DataError] = []
        for path in self.paths:
            try:
                files = _folder_files(path) if path.is_dir() else [_input_file(path)]
                for file in files:
                    self._check_columns(file)
                found += files
            except DataError as error:
                problems += error.problems if isinstance(error, DataErrors) else [error]
        if problems:
            raise problems[0] if len(problems) == 1 else DataErrors(problems)
        return found

    def remarks(self) -> list[str]:
        """Return a line about each file or folder of which something is not read."""
        lines = []
        for path in self.paths:
            if path.is_dir():
                lines += [] if _is_run(path) else _skipped(path)
                continue
            file = _input_file(path)
            names = _first_names(file)
            if ignored := self.columns.ignored(names):
                kept = "--keep-fields adds them to the output"
                lines.append(f"{path}: not read: {shown_names(ignored)} ({kept}).")
            if names and file.kind != "jsonl" and self.columns.id is None and "id" not in names:
                what = "row" if file.kind == "parquet" else "line"
                lines.append(
                    f"{path}: there is no column id. The ids are the {what} numbers"
                    " (--id-column names another column)."
                )
        return list(dict.fromkeys(lines))

    def _check_columns(self, file: InputFile) -> None:
        if file.kind in ("delimited", "parquet"):
            problems = self.columns.problems(_first_names(file))
            if problems:
                errors = [DataError(file.path, text, field=name) for name, text in problems]
                raise errors[0] if len(errors) == 1 else DataErrors(errors)


def read_notes(
    *paths: str | os.PathLike[str], columns: NoteColumns | None = None
) -> Iterator[Note]:
    """Stream the notes of files and folders.

    A text file contains one note. The lines of `.jsonl`, `.csv` and `.tsv` files and the rows of
    `.parquet` files are notes: the field `text` is the text, and `id` the id. Other fields are ignored,
    and so are the codes of coded notes. Newlines of texts are not converted.

    Args:
        paths: Paths of files, and of folders whose `.txt` files are read.
        columns: Other names of the fields. None for those above.

    Raises:
        DataError: A path cannot be read, or notes are not valid. All problems of the rows are reported
            together after the last valid note.
    """
    return read_source(NoteSource(tuple(map(Path, paths)), columns or NoteColumns()))


def read_source(source: NoteSource) -> Iterator[Note]:
    """Stream the notes of a source. See `read_notes`."""
    files = source.files()
    return checked_rows(row for file in files for row in _rows(file, source.columns))


_OBJECT = re.compile(rb"\s*\{\s*(?:\"|$)")
"""Matches the beginning of a JSON object, also of a damaged one."""


def read_stream(
    stream: IO[bytes], columns: NoteColumns, name: str, identifier: str
) -> Iterator[Note]:
    """Stream the notes of an open file whose content decides what it is.

    If it begins as a JSON object does, its lines are objects. If a column is named or others are to be
    kept, it is a table. Any other content is the text of one note.

    Args:
        stream: Open file, at its beginning.
        columns: Fields that are read.
        name: Name of the file in messages.
        identifier: Id of a note without one.

    Raises:
        DataError: A row is not a valid note.
    """
    first = stream.readline()
    lines = chain([first], stream)
    if _OBJECT.match(first.removeprefix(BOM_UTF8)):
        return checked_rows(_line_rows(lines, JSONLines(), columns, name))
    if columns != NoteColumns():
        table = Delimited(first, name)
        if problems := columns.problems(table.names):
            column, problem = problems[0]
            raise DataError(name, problem, field=column)
        return checked_rows(_line_rows(lines, table, columns, name))
    content = b"".join(lines)
    return iter([parse_row({"id": identifier, "text": decode_text(content, name)}, Note, name)])


def row_id(names: Sequence[str], columns: NoteColumns, number: int) -> str | None:
    """Return the id of a row of a table, if the table has no column of ids."""
    return str(number) if columns.id is None and "id" not in names else None


def text_note(path: Path, identifier: str, content: bytes) -> Note:
    """Return the note in a text file.

    Args:
        path: Path of the file.
        identifier: Id of the note.
        content: Content of the file.

    Raises:
        DataError: The name or the content of the file is not UTF-8.
    """
    try:
        identifier.encode()
    except UnicodeEncodeError:
        raise DataError(path, "its name is not UTF-8. Rename the file.", field="id") from None
    return parse_row({"id": identifier, "text": decode_text(content, path)}, Note, path)


def _rows(file: InputFile, columns: NoteColumns) -> Iterator[_Row]:
    """Yield the rows of a file."""
    if file.kind == "text":
        yield file.path, None, lambda: text_note(file.path, file.id, read_bytes(file.path))
    elif file.kind == "parquet":
        names = column_names(file.path)
        for number, fields in enumerate(parquet_rows(file.path), start=1):
            identifier = row_id(names, columns, number)
            yield file.path, number, partial(columns.note, fields, file.path, number, identifier)
    else:
        with file.path.open("rb") as stream:
            yield from _line_rows(stream, file.format(), columns, file.path)


def _line_rows(
    stream: Iterable[bytes], format_: RecordFormat, columns: NoteColumns, name: object
) -> Iterator[_Row]:
    for record in format_.records(stream, name):
        if record.is_row:
            yield name, record.number, partial(line_note, record, format_, columns, name)


def line_note(record: Record, format_: RecordFormat, columns: NoteColumns, name: object) -> Note:
    """Return the note of a row of a file with lines. Raises DataError."""
    names = format_.names if isinstance(format_, Delimited) else ["id"]
    identifier = row_id(names, columns, record.number)
    return columns.note(record.read(), name, record.number, identifier)


def _first_names(file: InputFile) -> list[str]:
    """Return the names of the columns of a table, or of the fields of the first row of JSON."""
    if file.kind == "text":
        return []
    if file.kind == "parquet":
        return column_names(file.path)
    format_ = file.format()
    if isinstance(format_, Delimited):
        return format_.names
    with file.path.open("rb") as stream:
        for record in format_.records(stream, file.path):
            if record.is_row:
                try:
                    fields = record.read()
                except DataError:  # It is reported with the rows.
                    return []
                return list(fields) if isinstance(fields, dict) else []
    return []


def _input_file(path: Path) -> InputFile:
    """Return a file that the user named. Raises DataError if it is missing or cannot contain notes."""
    suffix = path.suffix.lower()
    if not path.exists():
        raise DataError(path, "no such file")
    if suffix not in _KINDS:
        remedy = _REMEDIES.get(
            suffix, "its suffix is not that of notes. Rename it if it is plain text"
        )
        raise DataError(
            path, f"{remedy}. Notes are read from {READABLE} files and folders of texts."
        )
    kind = _KINDS[suffix]
    return InputFile(path, kind, (path.stem or path.name) if kind == "text" else "")


def _folder_files(folder: Path) -> list[InputFile]:
    """Return the files of a folder: the shards of a run of `cclearn code`, or text files."""
    if _is_run(folder):
        return [InputFile(path, "jsonl") for path in sorted((folder / "shards").glob("*.jsonl"))]
    return _text_files(folder)


def _is_run(folder: Path) -> bool:
    return (folder / "shards").is_dir() and (folder / "manifest.json").is_file()


def _text_files(folder: Path) -> list[InputFile]:
    """Return the text files of a folder and of those below it, sorted by their paths.

    Raises:
        DataError: There are none.
    """
    found = [path for path in _all_files(folder) if path.suffix.lower() == ".txt"]
    if not found:
        others = _skipped(folder)
        known = f" {others[0].partition(': ')[2]}" if others else ""
        raise DataError(folder, f"contains no .txt file.{known}")
    names = [path.relative_to(folder).with_suffix("") for path in found]
    return [
        InputFile(path, "text", name.as_posix()) for path, name in zip(found, names, strict=True)
    ]


def _skipped(folder: Path) -> list[str]:
    """Return a line about the files of a folder that are not read, if there are any."""
    suffixes = Counter(
        path.suffix.lower() or "no suffix"
        for path in _all_files(folder)
        if path.suffix.lower() != ".txt"
    )
    if not suffixes:
        return []
    counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items()))
    return [f"{folder}: not read: {counts}. Only the .txt files of a folder are."]


def _all_files(folder: Path) -> list[Path]:
    """Return the files below a folder that are not hidden, sorted by their paths.

    Links to folders are not followed, because they may form a circle.
    """
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in files if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)
