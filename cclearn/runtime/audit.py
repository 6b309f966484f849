"""The audit log: which user ran which command with which model on which notes.

A run of a command that codes, trains or serves writes one line of JSON when it begins and one when it
ends; a run that was killed has no second line. No line holds text or ids of notes, or paths of them.

`CCLEARN_AUDIT` names the file, or is `off`. Without it the file is `cclearn/audit.jsonl` in the XDG
state folder.
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
from cclearn.runtime.shown import tell

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
    """The lines of one run.

    Args:
        command: The command's name.
        path: The log; None writes nothing.

    Attributes:
        known: Fields of the lines, to which a command adds what it learns, e.g. counts.
    """

    def __init__(self, command: str, path: Path | None) -> None:
        self._path = path
        self._began = False
        self._notes = 0
        self._digest: HASH | None = None
        self.known: dict[str, Any] = {
            "schema_version": AUDIT_VERSION,
            "run": uuid.uuid4().hex,
            "command": command,
            "cclearn": cclearn.__version__,
            "user": {"uid": os.getuid(), "name": _user_name()},
            "host": platform.node(),
        }

    def begin(
        self,
        models: Sequence[tuple[str, str]] = (),
        system: _CodeSystem | None = None,
        **known: Any,
    ) -> None:
        """Write the first line of the run.

        Args:
            models: The name and the SHA-256 of each model; the hash is empty where there is none.
            system: The code system.
            known: Further fields of both lines.
        """
        self.known["models"] = [{"name": name, "sha256": digest} for name, digest in models]
        if system is not None:
            self.known["code_system"] = {"name": system.name, "release": system.release}
        self.known.update(known)
        self._began = True
        self._write(event="start")

    def read(self, notes: Iterable[NoteT]) -> Iterator[NoteT]:
        """Yield notes, and record how many there were and their hash.

        The hash is the SHA-256 of the id and the text of each note, in order, each as a netstring: the
        number of its UTF-8 bytes, a colon, the bytes, a comma.
        """
        self._notes, self._digest = 0, sha256()
        for note in notes:
            self._notes += 1
            for text in (note.id, note.text):
                content = text.encode("utf-8", "surrogatepass")
                self._digest.update(b"%d:%b," % (len(content), content))
            yield note

    def end(self, outcome: str) -> None:
        """Write the last line of the run, if it has begun.

        Args:
            outcome: `finished`, `failed` or `stopped`.
        """
        if self._digest is not None:
            self.known.update(notes=self._notes, notes_sha256=self._digest.hexdigest())
        if self._began:
            self._write(event="end", outcome=outcome)

    def _write(self, **fields: str) -> None:
        if self._path is None:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, **fields, **self.known}).encode("ascii") + b"\n"
        try:
            _append(self._path, line)
        except OSError as error:
            tell(f"audit log (path = {self._path}): a line is missing: {error.strerror}.")


@contextmanager
def audited(command: str, writes: bool = True) -> Iterator[Audit]:
    """Give a run its audit lines; how the block ends decides the outcome that the last one tells.

    Args:
        command: The command's name.
        writes: Whether this process writes them; of several that share a run, only the first does.

    Raises:
        ConfigurationError: `CCLEARN_AUDIT` names a file that cannot be written.
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
    """Return the log's path, None where nothing is to be written."""
    named = os.environ.get(VARIABLE)
    if named == OFF:
        return None
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(named) if named else Path(state) / "cclearn" / "audit.jsonl"
    try:
        _append(path, b"")
    except OSError as error:
        why = f"audit log ({VARIABLE} = {path}): it cannot be written: {error.strerror}."
        if named:
            raise ConfigurationError([f"{why} Name another file, or `{OFF}`."]) from None
        tell(f"{why} This run is not recorded.")
        return None
    return path


def _append(path: Path, line: bytes) -> None:
    """Append a line in one write, whichever other runs append to the file.

    Raises:
        OSError: The file cannot be opened or written, or is no regular file.
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


def _user_name() -> str | None:
    """Return the name of the process's user; the environment could claim another."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
