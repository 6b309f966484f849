"""The corpora of files: lines, Parquet, texts, and several of them as one."""

from __future__ import annotations

import json
import os
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.bulk.corpus import BulkCorpus, CorpusRow, Shard
from cclearn.bulk.identifiers import Identifiers
from cclearn.errors import DataError
from cclearn.notes import Note
from cclearn.notes.columns import NoteColumns
from cclearn.notes.fhir_documents import document_fields, is_resource
from cclearn.notes.inputs import InputFile, NoteSource, line_note, row_id, text_note
from cclearn.notes.parquet import ParquetReader, column_names, count_rows, parquet_rows
from cclearn.notes.records import Delimited, Record
from cclearn.runtime.files import read_bytes, sha256_of_file

if TYPE_CHECKING:
    from hashlib import _Hash as HASH


class LinesCorpus(BulkCorpus):
    """Corpus of a file of lines: JSONL, CSV or TSV.

    Args:
        file: The file.
        columns: Fields that are read.
    """

    def __init__(self, file: InputFile, columns: NoteColumns) -> None:
        super().__init__(file.path)
        self._format = file.format()
        self._columns = columns

    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        number = rows = start = offset = 0
        first = 1
        digest = sha256()
        with self.path.open("rb") as stream:
            for record in self._format.records(stream, self.path):
                if rows == shard_size and record.is_row:
                    yield Shard(number, start, offset, first, rows, digest.hexdigest())
                    start, first, digest = offset, record.number, sha256()
                    number, rows = number + 1, 0
                if record.is_row:
                    rows += 1
                    if isinstance(identifier := self._identifier(record), str):
                        identifiers.add(identifier)
                digest.update(record.raw)
                corpus_hash.update(record.raw)
                offset += len(record.raw)
        if rows:
            yield Shard(number, start, offset, first, rows, digest.hexdigest())

    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        with self.path.open("rb") as stream:
            for record in self._format.records(stream, self.path):
                if record.is_row:
                    with suppress(DataError):
                        yield record.number, self._note(record).id

    def _read(self, shard: Shard) -> Iterator[CorpusRow]:
        with self.path.open("rb") as stream:
            stream.seek(shard.start)
            content = stream.read(shard.end - shard.start)
        if sha256(content).hexdigest() != shard.sha256:
            raise self._changed_error()
        for record in self._format.records(BytesIO(content), self.path, shard.first):
            if record.is_row:
                identifier = partial(self._identifier, record)
                yield _parse_row(record.number, partial(self._note, record), identifier)

    def _note(self, record: Record) -> Note:
        """Return the note of a row. Raises DataError."""
        return line_note(record, self._format, self._columns, self.path)

    def _identifier(self, record: Record) -> Any:
        """Return the id of a row, also of one that is no note. None if it has none."""
        try:
            if isinstance(self._format, Delimited):
                row = row_id(self._format.names, self._columns, record.number)
                return self._columns.identifier(record.read(), row)
            fields = json.loads(record.raw.removeprefix(BOM_UTF8))
            if isinstance(fields, dict) and is_resource(fields):
                with suppress(DataError):
                    fields = document_fields(fields, self.path, record.number)
            return self._columns.identifier(fields)
        except (DataError, ValueError, RecursionError):
            return None


def _escape_id(identifier: object) -> str | None:
    """Return an id with escapes for what cannot be written as UTF-8. None if it is not a string."""
    if isinstance(identifier, str):
        identifier = identifier.encode("utf-8", "backslashreplace")
    if not isinstance(identifier, bytes):
        return None
    return identifier.decode("utf-8", "backslashreplace")


class ParquetCorpus(BulkCorpus):
    """Corpus of a Parquet file, which has one note in each row.

    Args:
        path: Path of the file.
        columns: Columns that are read.
    """

    def __init__(self, path: Path, columns: NoteColumns) -> None:
        super().__init__(path)
        self._columns = columns
        self._names = column_names(path)
        self._reader = ParquetReader(path)
        self._sha256 = ""

    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        wanted = "id" if self._columns.id is None else self._columns.id
        if wanted in self._names:
            for fields in parquet_rows(self.path, [wanted]):
                identifier = self._columns.identifier(fields)
                if isinstance(identifier, str):
                    identifiers.add(identifier)
        rows = count_rows(self.path)
        if wanted not in self._names:  # The numbers of the rows are their ids.
            for number in range(1, rows + 1):
                identifiers.add(str(number))
        file_hash = sha256_of_file(self.path)
        corpus_hash.update(file_hash.encode())
        for number, start in enumerate(range(0, rows, shard_size)):
            end = min(start + shard_size, rows)
            yield Shard(number, start, end, start + 1, end - start, file_hash)

    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        for row_number, fields in enumerate(parquet_rows(self.path), start=1):
            with suppress(DataError):
                yield row_number, self._note(fields, row_number).id

    def _read(self, shard: Shard) -> Iterator[CorpusRow]:
        self._sha256 = self._sha256 or sha256_of_file(self.path)
        if self._sha256 != shard.sha256:
            raise self._changed_error()
        wanted = list(self._reader.rows(shard.start, shard.end))
        if len(wanted) < shard.rows:
            raise self._changed_error()
        for row_number, fields in enumerate(wanted, start=shard.first):
            read = partial(self._note, fields, row_number)
            yield _parse_row(row_number, read, partial(self._columns.identifier, fields))

    def _note(self, fields: dict[str, Any], number: int) -> Note:
        identifier = row_id(self._names, self._columns, number)
        return self._columns.note(fields, self.path, number, identifier)


class TextCorpus(BulkCorpus):
    """Corpus of text files, each of which is a note.

    Args:
        path: Folder of the files, or the first of them.
        files: The files, whose names are kept in memory.
    """

    def __init__(self, path: Path, files: Sequence[InputFile]) -> None:
        super().__init__(path)
        self._files = files

    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        for number, start in enumerate(range(0, len(self._files), shard_size)):
            files = self._files[start : start + shard_size]
            for file in files:
                identifiers.add(file.id)
            lines = [_hash_line(file, _read_or_error(file)) for file in files]
            corpus_hash.update(b"".join(lines))
            shard_hash = sha256(b"".join(lines)).hexdigest()
            yield Shard(number, start, start + len(files), start + 1, len(files), shard_hash)

    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        return ((number, file.id) for number, file in enumerate(self._files, start=1))

    def _read(self, shard: Shard) -> Iterator[CorpusRow]:
        files = self._files[shard.start : shard.end]
        contents = [_read_or_error(file) for file in files]
        lines = map(_hash_line, files, contents)
        if sha256(b"".join(lines)).hexdigest() != shard.sha256:
            raise self._changed_error()
        for row_number, (file, content) in enumerate(
            zip(files, contents, strict=True), shard.first
        ):
            yield _parse_row(
                row_number, partial(_read_text, file, content), partial(getattr, file.path, "name")
            )


def _read_text(file: InputFile, content: bytes | DataError) -> Note:
    if isinstance(content, DataError):
        raise content
    return text_note(file.path, file.id, content)


class CombinedCorpus(BulkCorpus):
    """Corpus of several corpora, one after the other. No shard has rows of two of them.

    Args:
        parts: The corpora.
    """

    def __init__(self, parts: Sequence[BulkCorpus]) -> None:
        super().__init__(parts[0].path)
        self._parts = parts

    def read(self, shard: Shard) -> Iterator[CorpusRow]:
        """Yield the rows of a shard with their numbers in their own file, and the file."""
        file = str(self._parts[shard.part].path)
        for row in super().read(shard):
            yield replace(row, number=row.number - _base(shard.part), file=file)

    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        number = 0
        for part, corpus in enumerate(self._parts):
            for shard in corpus._shards(shard_size, identifiers, corpus_hash):
                yield replace(shard, number=number, first=shard.first + _base(part), part=part)
                number += 1
            # Shards end at the end of a file: the same bytes in other files are another corpus.
            corpus_hash.update(b"\0")

    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        for part, corpus in enumerate(self._parts):
            for number, identifier in corpus._numbered_ids():
                yield number + _base(part), identifier

    def _read(self, shard: Shard) -> Iterator[CorpusRow]:
        base = _base(shard.part)
        for row in self._parts[shard.part]._read(replace(shard, first=shard.first - base)):
            yield replace(row, number=row.number + base)


def _base(part: int) -> int:
    """Return what is added to the numbers of the rows of a part, so that no two rows have the same."""
    return part << 40


def _parse_row(
    number: int, read: Callable[[], Note], identifier: Callable[[], object]
) -> CorpusRow:
    """Return a row with its note, or with the problem if the note cannot be read.

    Args:
        number: Number of the row, from 1.
        read: Function that returns the note. It raises DataError if the note cannot be read.
        identifier: Function that returns the id of a note that cannot be read.
    """
    try:
        note = read()
    except DataError as error:
        return CorpusRow(number, _escape_id(identifier()), None, error.reason)
    return CorpusRow(number, note.id, note)


def _read_or_error(file: InputFile) -> bytes | DataError:
    """Return the content of a file, or the error if it cannot be read."""
    try:
        return read_bytes(file.path)
    except DataError as error:
        return error


def _hash_line(file: InputFile, content: bytes | DataError) -> bytes:
    """Return the bytes that represent a file in the hash of a corpus: its id and its hash."""
    readable = content if isinstance(content, bytes) else b""
    return os.fsencode(file.id) + b"\0" + sha256(readable).digest()


def open_corpus(source: NoteSource) -> BulkCorpus:
    """Return the corpus of a source.

    Raises:
        DataError: A path cannot be read (`NoteSource.files`).
    """
    parts: list[BulkCorpus] = []
    for is_text, files in groupby(source.files(), lambda file: file.kind == "text"):
        if is_text:
            texts = list(files)
            parts.append(
                TextCorpus(source.paths[0] if len(source.paths) == 1 else texts[0].path, texts)
            )
            continue
        for file in files:
            if file.kind == "parquet":
                parts.append(ParquetCorpus(file.path, source.columns))
            else:
                parts.append(LinesCorpus(file, source.columns))
    return parts[0] if len(parts) == 1 else CombinedCorpus(parts)
