"""A corpus in shards. It is read once to find the shards. Then any process can read any shard."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.bulk.identifiers import Identifiers
from cclearn.errors import CclearnError, DataError
from cclearn.notes import Note

if TYPE_CHECKING:
    from hashlib import _Hash as HASH


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive rows of a corpus.

    Attributes:
        number: Number of the shard, from 0.
        start: Start of the shard, from 0: a byte in a file of lines, a row in Parquet, a file in a
            folder.
        end: End of the shard, exclusive.
        first: Number of the first line, row or file in the corpus, from 1.
        rows: Number of rows. Empty lines do not count.
        sha256: Hash of the content of the shard. For Parquet, hash of the whole file.
        repeated: Numbers of the rows whose id occurs in an earlier row.
        part: Number of the file or the folder, from 0, if the corpus consists of several.
    """

    number: int
    start: int
    end: int
    first: int
    rows: int
    sha256: str
    repeated: tuple[int, ...] = ()
    part: int = 0


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
    """A row of a corpus: a row of a file of lines or of Parquet, or a file of a folder.

    Attributes:
        number: Number of the first line of the row, of the Parquet row or of the file, from 1.
        id: Id of the note, or name of the file. A row that cannot be read keeps the id that it gives, if
            any. Characters that cannot be written as UTF-8 are escaped.
        note: Note of the row. None if the row cannot be read.
        problem: Reason why the row must not be coded, without text of the note. None if it can be coded.
        file: Path of the file, if the corpus consists of several.
    """

    number: int
    id: str | None
    note: Note | None
    problem: str | None = None
    file: str | None = None


class BulkCorpus(ABC):
    """Base class of corpora, which read notes from the disk in shards.

    Args:
        path: Path of the corpus in messages.
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
