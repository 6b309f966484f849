"""The file of a cache of answers, looked at and deleted without its engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cclearn.errors import CclearnError, DataError
from cclearn.runtime.caches import cache_folder

_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite writes beside a database; it holds answers too."""

_PATIENCE = 1.0
"""Seconds in which another run may let the file go."""


def default_answer_file() -> Path:
    """Return the file that keeps the answers of servers where no other is named."""
    return cache_folder() / "answers.sqlite"


def answer_files(path: Path) -> list[Path]:
    """Return the files of a cache that are there: the database, and what SQLite writes beside it."""
    path = path.resolve()  # A link is not what holds the answers.
    files = [path, *(path.with_name(path.name + ending) for ending in _BESIDE)]
    return [file for file in files if file.is_file()]


def count_answers(path: Path) -> int:
    """Return how many answers a cache holds.

    Raises:
        DataError: The file is no cache of answers.
    """
    with _opened(path, "ro") as answers:
        return _count(answers, path)


def purge_answers(path: Path) -> list[Path]:
    """Delete a cache of answers with all that lies beside it, and return the files that it had.

    The answers are overwritten first, as far as the file system overwrites in place.

    Raises:
        DataError: The file is no cache of answers.
        CclearnError: Another run has the file open.
    """
    files = answer_files(path)
    with _opened(path, "rw") as answers:
        answers.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            _count(answers, path)
            answers.execute("PRAGMA journal_mode = DELETE")
            answers.execute("PRAGMA journal_mode = OFF")  # Else the journal would keep a copy.
            answers.execute("PRAGMA secure_delete = ON")
            answers.execute("DELETE FROM answers")
        except sqlite3.OperationalError:
            raise CclearnError(
                f"cache (path = {path}): another run has it open. Wait for it, and purge it then."
            ) from None
    for file in answer_files(path):
        file.unlink()
    return files


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise DataError(path, "no such file")
    address = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_PATIENCE)
    with closing(connection):
        yield connection


def _count(answers: sqlite3.Connection, path: Path) -> int:
    """Count the answers. Raises DataError for another database, or none."""
    try:
        columns = [row[1] for row in answers.execute("PRAGMA table_info(answers)")]
        if {"key", "answer"} <= set(columns):
            (count,) = answers.execute("SELECT count(*) FROM answers").fetchone()
            return int(count)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        pass
    raise DataError(path, "it is no cache of answers, and stays as it is")
