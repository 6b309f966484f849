"""The log of one reviewer: lines of JSON that are appended and never changed.

A line is on the disk before the action counts as saved. What a killed process or a full disk left of a
line was never confirmed, and is moved to a file beside the log.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from cclearn.errors import CclearnError, DataError, shown_id
from cclearn.review.events import Event
from cclearn.runtime.durable import flush, make_folder
from cclearn.runtime.files import FULL

_TORN = ".incomplete"
"""Ending of the file with the incomplete lines."""


class LogFullError(CclearnError):
    """A decision could not be saved."""


class LogReader:
    """The lines of a log that another process may be writing. Lines are read when they are asked for.

    Args:
        path: Path of the log.

    Raises:
        DataError: The log cannot be read, or a complete line of it is not an event.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._stream = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise DataError(path, f"cannot be read: {error.strerror}") from None
        self._lines: dict[str, list[tuple[int, int, int]]] = {}
        self.notes: dict[str, Event] = {}
        self.size = 0
        self._read()

    @property
    def reviewer(self) -> str:
        """Name of the reviewer, which is the name of the file."""
        return self.path.stem

    def events(self, note: str) -> Iterator[Event]:
        """Yield the lines of a note, in their order."""
        for number, start, length in self._lines.get(note, ()):
            yield self._parsed(os.pread(self._stream, length, start), number)

    def close(self) -> None:
        """Close the file."""
        os.close(self._stream)

    def _read(self) -> None:
        """Index the complete lines. Bytes after the last line end are not read."""
        with open(self._stream, "rb", closefd=False) as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    break
                self._index(self._parsed(line, number), number, len(line))

    def _index(self, event: Event, number: int, length: int) -> None:
        self._lines.setdefault(event.note, []).append((number, self.size, length))
        self.notes[event.note] = event
        self.size += length

    def _parsed(self, line: bytes, number: int) -> Event:
        try:
            return Event.model_validate_json(line)
        except ValidationError:
            problem = (
                "not a decision of this version. The log was changed, or is of another program."
            )
            raise DataError(self.path, problem, number) from None


class ReviewLog(LogReader):
    """The log to which a reviewer's actions are appended. Only one process can have it open.

    Args:
        path: Path of the log. It is created with mode 0600 if it is missing.

    Attributes:
        moved: Number of bytes of an incomplete last line that were moved to another file.

    Raises:
        CclearnError: Another process writes the log, or the file cannot be opened.
        DataError: A complete line of the log is not an event.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        try:
            self._writer = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600
            )
            fcntl.flock(self._writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CclearnError(
                f"reviewer (log = {path}): another process writes this log. Close the other review, or"
                " name another reviewer with --reviewer."
            ) from None
        except OSError as error:
            raise CclearnError(
                f"log (path = {path}): {error.strerror}. Name another --out."
            ) from None
        flush(path.parent)
        super().__init__(path)
        self._count = sum(map(len, self._lines.values()))
        self._is_broken = False
        self.moved = self._move_incomplete_line()

    def append(self, event: Event) -> None:
        """Append a line, and return when it is on the disk.

        Raises:
            LogFullError: The line could not be written completely. The log is as it was before.
        """
        if self._is_broken:
            raise LogFullError(
                f"log (path = {self.path}): an earlier decision could not be saved or removed. Check the"
                " disk, and start the review again."
            )
        line = event.model_dump_json().encode() + b"\n"
        try:
            if os.write(self._writer, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._writer)
        except OSError as error:
            try:
                os.ftruncate(self._writer, self.size)
            except OSError:  # A part of the line may be in the file.
                self._is_broken = True
            advice = "Free space on the disk" if error.errno in FULL else "Check the disk"
            raise LogFullError(
                f"log (path = {self.path}): the decision was not saved: {error.strerror}. {advice}, and"
                " repeat the decision."
            ) from None
        self._count += 1
        self._index(event, self._count, len(line))

    def close(self) -> None:
        """Close the file and release its lock."""
        super().close()
        os.close(self._writer)

    def _move_incomplete_line(self) -> int:
        rest = os.pread(self._writer, os.fstat(self._writer).st_size - self.size, self.size)
        if rest:
            beside = os.open(
                self.path.with_name(self.path.name + _TORN),
                os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW,
                0o600,
            )
            try:
                os.write(beside, rest + b"\n")
                os.fsync(beside)
            finally:
                os.close(beside)
            os.ftruncate(self._writer, self.size)
            os.fsync(self._writer)
        return len(rest)


def checked_reviewer(name: str) -> str:
    """Return the name of a reviewer, which is also a name of a file.

    Raises:
        CclearnError: The name is empty or too long, or has other characters than letters, digits, `-`,
            `_` and `.`.
    """
    usable = name and len(name) <= 64 and not name.startswith(".")
    if not usable or not all(c.isalnum() or c in "-_." for c in name):
        raise CclearnError(
            f"reviewer (reviewer = {shown_id(name)}): a name has 1 to 64 letters, digits, - _ and ."
            " without blanks, and does not begin with a dot. Name another with --reviewer."
        )
    return name
