"""The audit log: which user ran which command with which model on which notes.

A command that codes, trains or serves writes one line of JSON when it starts and one when it ends. A run
that was killed has no second line. No line contains text, ids or paths of notes.

The environment variable `CCLEARN_AUDIT` is the path of the log, or `off`. Without it, the path is
`cclearn/audit.jsonl` in the XDG state folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import pwd
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import cclearn
from cclearn.errors import ConfigurationError
from cclearn.runtime.display import print_message

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

VARIABLE = "CCLEARN_AUDIT"
OFF = "off"

AUDIT_VERSION = 1
"""The version of the lines. It changes when a field changes its meaning or is removed."""


class _Note(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def text(self) -> str: ...


class _CodeSystem(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def release(self) -> str: ...


NoteT = TypeVar("NoteT", bound=_Note)


class Audit:
    """The lines of one run in the audit log.

    Args:
        command: Name of the command.
        path: Path of the log. If it is None, nothing is written.

    Attributes:
        fields: Fields of the lines. A command adds fields during the run, for example counts.
    """

    def __init__(self, command: str, path: Path | None) -> None:
        self._path = path
        self._began = False
        self._notes = 0
        self._digest: HASH | None = None
        self.fields: dict[str, Any] = {
            "schema_version": AUDIT_VERSION,
            "run": uuid.uuid4().hex,
            "command": command,
            "cclearn": cclearn.__version__,
            "user": {"uid": os.getuid(), "name": user_name()},
            "host": platform.node(),
        }

    def begin(
        self,
        models: Sequence[tuple[str, str]] = (),
        system: _CodeSystem | None = None,
        **fields: Any,
    ) -> None:
        """Write the first line of the run.

        Args:
            models: Name and SHA-256 of each model. The hash is empty if there is none.
            system: Code system of the run.
            fields: Further fields, which both lines have.
        """
        self.fields["models"] = [{"name": name, "sha256": digest} for name, digest in models]
        if system is not None:
            self.fields["code_system"] = {"name": system.name, "release": system.release}
        self.fields.update(fields)
        self._began = True
        self._write(event="start")

    def read(self, notes: Iterable[NoteT]) -> Iterator[NoteT]:
        """Yield notes, and record their number and their hash.

        The hash is the SHA-256 of the id and the text of each note, in order. Each of them is
        hashed as a netstring: the number of its UTF-8 bytes, a colon, the bytes and a comma.
        """
        self._notes, self._digest = 0, sha256()
        for note in notes:
            self._notes += 1
            for text in (note.id, note.text):
                content = text.encode("utf-8", "surrogatepass")
                self._digest.update(b"%d:%b," % (len(content), content))
            yield note

    def end(self, outcome: str) -> None:
        """Write the last line of the run if the first one was written.

        Args:
            outcome: `finished`, `failed` or `stopped`.
        """
        if self._digest is not None:
            self.fields.update(notes=self._notes, notes_sha256=self._digest.hexdigest())
        if self._began:
            self._write(event="end", outcome=outcome)

    def _write(self, **event: str) -> None:
        if self._path is None:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, **event, **self.fields}).encode("ascii") + b"\n"
        try:
            _append(self._path, line)
        except OSError as error:
            print_message(f"audit log (path = {self._path}): a line is missing: {error.strerror}.")


@contextmanager
def audited(command: str, writes: bool = True) -> Iterator[Audit]:
    """Record a run in the audit log. The way in which the block ends is the outcome of the run.

    Args:
        command: Name of the command.
        writes: Whether this process writes the lines. If several processes share a run, only the first
            one writes them.

    Yields:
        The lines of the run. The first one is written by `Audit.begin`.

    Raises:
        ConfigurationError: The file in `CCLEARN_AUDIT` cannot be written.
    """
    audit = Audit(command, _writable_log() if writes else None)
    try:
        yield audit
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        audit.end("stopped")
        raise
    except BaseException:
        audit.end("failed")
        raise
    audit.end("finished")


def _writable_log() -> Path | None:
    """Return the path of the log, or None if nothing must be written."""
    setting = os.environ.get(VARIABLE)
    if setting == OFF:
        return None
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(setting) if setting else Path(state) / "cclearn" / "audit.jsonl"
    try:
        _append(path, b"")
    except OSError as error:
        why = f"audit log ({VARIABLE} = {path}): it cannot be written: {error.strerror}."
        if setting:
            raise ConfigurationError([f"{why} Name another file, or `{OFF}`."]) from None
        print_message(f"{why} This run is not recorded.")
        return None
    return path


def _append(path: Path, line: bytes) -> None:
    """Append a line in one write, also while other runs append to the file.

    Raises:
        OSError: The file cannot be opened or written, or is not a regular file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Without O_NONBLOCK a FIFO without a reader would never open.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(None, "not a regular file")
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.write(handle, line) < len(line):
            raise OSError(None, "no more room")
    finally:
        os.close(handle)


def user_name() -> str | None:
    """Return the name of the user of this process. The environment is not read."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
