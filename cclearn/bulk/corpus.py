"""A corpus in shards. It is read once to find the shards. Then any process can read any shard."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from bisect import bisect_left
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.bulk.identifiers import Identifiers
from cclearn.errors import CclearnError, DataError
from cclearn.notes import Note
from cclearn.notes.jsonl import parse_line, parse_row, text_files, text_note
from cclearn.notes.parquet import ParquetReader, count_rows, parquet_rows
from cclearn.runtime.files import read_bytes, sha256_of_file

if TYPE_CHECKING:
    from hashlib import _Hash as HASH


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive rows of a corpus.

    Attributes:
        number: Number of the shard, from 0.
        start: Start of the shard, from 0: a byte in JSONL, a row in Parquet, a file in a folder.
        end: End of the shard, exclusive.
        first: Number of the first line, row or file in the corpus, from 1.
        rows: Number of rows. Empty lines do not count.
        sha256: Hash of the content of the shard. For Parquet, hash of the whole file.
        repeated: Numbers of the rows whose id occurs in an earlier row.
    """

    number: int
    start: int
    end: int
    first: int
    rows: int
    sha256: str
    repeated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """The shards of a corpus, and its hash. `BulkCorpus.survey` computes it before notes are coded.

    Attributes:
        shards: Shards, in order.
        rows: Number of rows of all shards.
        sha256: Hash of the corpus.
    """

    shards: tuple[Shard, ...]
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """A row of a corpus: a line of JSONL, a row of Parquet, or a file of a folder.

    Attributes:
        number: Number of the line, row or file, from 1.
        id: Id of the note, or name of the file. A row that cannot be read keeps the id that it gives, if
            any. Characters that cannot be written as UTF-8 are escaped.
        note: Note of the row. None if the row cannot be read.
        problem: Reason why the row must not be coded, without text of the note. None if it can be coded.
    """

    number: int
    id: str | None
    note: Note | None
    problem: str | None = None


class BulkCorpus(ABC):
    """Base class of corpora, which read notes from the disk in shards.

    Args:
        path: Path of the corpus.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def survey(self, shard_size: int) -> Survey:
        """Return the shards and the hash of the corpus.

        The corpus is read once, or twice if ids may be repeated. The memory is constant except for 8
        bytes per row.

        Args:
            shard_size: Number of rows in a shard.

        Raises:
            DataError: The corpus cannot be read, or is empty.
        """
        identifiers, corpus_hash = Identifiers(), sha256()
        shards = list(self._shards(shard_size, identifiers, corpus_hash))
        if not shards:
            raise DataError(self.path, "contains no note")
        repeated = identifiers.repeated(self._numbered_ids)
        if repeated:
            shards = [
                replace(shard, repeated=tuple(repeated[low:high]))
                for shard, low, high in _repeated_ranges(shards, repeated)
            ]
        return Survey(tuple(shards), sum(shard.rows for shard in shards), corpus_hash.hexdigest())

    def read(self, shard: Shard) -> Iterator[CorpusRow]:
        """Yield the rows of a shard, including those that cannot be read.

        Raises:
            CclearnError: The corpus has changed since the survey.
        """
        repeated = set(shard.repeated)
        for row in self._read(shard):
            if row.number in repeated and row.note is not None:
                row = replace(row, problem="id: an earlier row has the same id")
            yield row

    def _changed_error(self) -> CclearnError:
        return CclearnError(
            f"corpus (source = {self.path}): it has changed since the run began. Restore it, or"
            " start again with --overwrite."
        )

    @abstractmethod
    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        """Yield the shards.

        Args:
            shard_size: Number of rows in a shard.
            identifiers: Container to which the id of each row is added.
            corpus_hash: Hash that is updated with the content of the corpus.
        """

    @abstractmethod
    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the id of each readable row."""

    @abstractmethod
    def _read(self, shard: Shard) -> Iterator[CorpusRow]:
        """Yield the rows of a shard."""


def _repeated_ranges(shards: list[Shard], repeated: list[int]) -> Iterator[tuple[Shard, int, int]]:
    """Yield each shard with the start and the end of its part of the sorted list `repeated`."""
    starts = [bisect_left(repeated, shard.first) for shard in shards]
    yield from zip(shards, starts, [*starts[1:], len(repeated)], strict=True)


class JSONLCorpus(BulkCorpus):
    """Corpus of a JSONL file, which has one note in each line."""

    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        number = rows = start = offset = 0
        first = 1
        digest = sha256()
        with self.path.open("rb") as stream:
            for row_number, line in enumerate(stream, start=1):
                if rows == shard_size and line.strip():
                    yield Shard(number, start, offset, first, rows, digest.hexdigest())
                    number, rows, start, first, digest = number + 1, 0, offset, row_number, sha256()
                if line.strip():
                    rows += 1
                    if (identifier := _identifier(line)) is not None:
                        identifiers.add(identifier)
                digest.update(line)
                corpus_hash.update(line)
                offset += len(line)
        if rows:
            yield Shard(number, start, offset, first, rows, digest.hexdigest())

    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        with self.path.open("rb") as stream:
            for row_number, line in enumerate(stream, start=1):
                if line.strip():
                    with suppress(DataError):
                        yield row_number, parse_line(line, Note, self.path, row_number).id

    def _read(self, shard: Shard) -> Iterator[CorpusRow]:
        with self.path.open("rb") as stream:
            stream.seek(shard.start)
            content = stream.read(shard.end - shard.start)
        if sha256(content).hexdigest() != shard.sha256:
            raise self._changed_error()
        for row_number, line in enumerate(content.split(b"\n"), start=shard.first):
            if line.strip():
                read = partial(parse_line, line, Note, self.path, row_number)
                yield _parse_row(row_number, read, partial(_identifier, line))


def _identifier(line: bytes) -> str | None:
    """Return the id of a line. None if it has none, which is reported when the line is parsed."""
    try:
        fields = json.loads(line.removeprefix(BOM_UTF8))
    except (ValueError, RecursionError):
        return None
    identifier = fields.get("id") if isinstance(fields, dict) else None
    return identifier if isinstance(identifier, str) else None


def _escape_id(identifier: object) -> str | None:
    """Return an id with escapes for what cannot be written as UTF-8. None if it is not a string."""
    if isinstance(identifier, str):
        identifier = identifier.encode("utf-8", "backslashreplace")
    if not isinstance(identifier, bytes):
        return None
    return identifier.decode("utf-8", "backslashreplace")


class ParquetCorpus(BulkCorpus):
    """Corpus of a Parquet file, which has one note in each row."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._reader = ParquetReader(path)
        self._sha256 = ""

    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        for fields in parquet_rows(self.path, ["id"]):
            if isinstance(fields.get("id"), str):
                identifiers.add(fields["id"])
        rows = count_rows(self.path)
        file_hash = sha256_of_file(self.path)
        corpus_hash.update(file_hash.encode())
        for number, start in enumerate(range(0, rows, shard_size)):
            end = min(start + shard_size, rows)
            yield Shard(number, start, end, start + 1, end - start, file_hash)

    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        for row_number, fields in enumerate(parquet_rows(self.path), start=1):
            with suppress(DataError):
                yield row_number, parse_row(fields, Note, self.path, row_number).id

    def _read(self, shard: Shard) -> Iterator[CorpusRow]:
        self._sha256 = self._sha256 or sha256_of_file(self.path)
        if self._sha256 != shard.sha256:
            raise self._changed_error()
        wanted = list(self._reader.rows(shard.start, shard.end))
        if len(wanted) < shard.rows:
            raise self._changed_error()
        for row_number, fields in enumerate(wanted, start=shard.first):
            read = partial(parse_row, fields, Note, self.path, row_number)
            yield _parse_row(row_number, read, partial(fields.get, "id"))


class FolderCorpus(BulkCorpus):
    """Corpus of a folder of text files, sorted by name. The names are kept in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._files = text_files(path)

    def _shards(
        self, shard_size: int, identifiers: Identifiers, corpus_hash: HASH
    ) -> Iterator[Shard]:
        for number, start in enumerate(range(0, len(self._files), shard_size)):
            files = self._files[start : start + shard_size]
            lines = [_hash_line(file, _read_or_error(file)) for file in files]
            corpus_hash.update(b"".join(lines))
            shard_hash = sha256(b"".join(lines)).hexdigest()
            yield Shard(number, start, start + len(files), start + 1, len(files), shard_hash)

    def _numbered_ids(self) -> Iterator[tuple[int, str]]:
        return iter(())  # File names are unique.

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
                row_number, partial(_read_text, file, content), partial(getattr, file, "name")
            )


def _read_text(file: Path, content: bytes | DataError) -> Note:
    if isinstance(content, DataError):
        raise content
    return text_note(file, content)


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


def _read_or_error(file: Path) -> bytes | DataError:
    """Return the content of a file, or the error if it cannot be read."""
    try:
        return read_bytes(file)
    except DataError as error:
        return error


def _hash_line(file: Path, content: bytes | DataError) -> bytes:
    """Return the bytes that represent a file in the hash of a folder: its name and its hash."""
    readable = content if isinstance(content, bytes) else b""
    return os.fsencode(file.name) + b"\0" + sha256(readable).digest()


def open_corpus(path: Path) -> BulkCorpus:
    """Return the corpus of a `.jsonl` file, a `.parquet` file or a folder of `.txt` files.

    Raises:
        DataError: The path is missing, or has another suffix.
    """
    if path.is_dir():
        return FolderCorpus(path)
    if not path.is_file():
        raise DataError(path, "no such file")
    if path.suffix == ".parquet":
        return ParquetCorpus(path)
    if path.suffix == ".jsonl":
        return JSONLCorpus(path)
    raise DataError(path, "a corpus is a .jsonl file, a .parquet file or a folder of .txt files")
