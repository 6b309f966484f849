"""The file in which answers are cached: inspecting and deleting it without an engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cclearn.errors import CclearnError, DataError
from cclearn.runtime.caches import cache_folder

_SIDE_FILES = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite writes next to a database. They contain answers too."""

_LOCK_TIMEOUT = 1.0
"""Seconds to wait for another run to release the file."""


def default_answer_file() -> Path:
    """Return the default file for the answers of servers."""
    return cache_folder() / "answers.sqlite"


def answer_files(path: Path) -> list[Path]:
    """Return the existing files of a cache: the database and the side files of SQLite."""
    path = path.resolve()  # The target of a link contains the answers.
    files = [path, *(path.with_name(path.name + ending) for ending in _SIDE_FILES)]
    return [file for file in files if file.is_file()]


def count_answers(path: Path) -> int:
    """Return the number of answers in a cache.

    Raises:
        DataError: The file is not a cache of answers.
    """
    with _open(path, "ro") as answers:
        return _count(answers, path)


def purge_answers(path: Path) -> list[Path]:
    """Delete a cache of answers with its side files, and return the deleted files.

    The answers are overwritten first, if the file system overwrites in place.

    Raises:
        DataError: The file is not a cache of answers.
        CclearnError: Another run has the file open.
    """
    files = answer_files(path)
    with _open(path, "rw") as answers:
        answers.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            _count(answers, path)
            answers.execute("PRAGMA journal_mode = DELETE")
            answers.execute("PRAGMA journal_mode = OFF")  # Otherwise the journal would keep a copy.
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
def _open(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise DataError(path, "no such file")
    address = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_LOCK_TIMEOUT)
    with closing(connection):
        yield connection


def _count(answers: sqlite3.Connection, path: Path) -> int:
    """Return the number of answers. Raises DataError if the file is not a cache of answers."""
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
