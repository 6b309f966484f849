"""Private, durable outputs: locks that show whether a writer is alive, permissions, flushing to disk.

Whatever is written goes to a hidden name beside its place first. That name is always the same, so that
a killed process leaves one file or folder at most, and the next one removes it. Whether the writer is
still alive is shown by a lock (flock(2)) on the hidden file, which the system releases when the process
ends, however it ends; process ids are reused, and mean nothing on another machine that shares the file
system. Files have mode 0600 and folders 0700: outputs may hold text of notes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cclearn.errors import CclearnError

PARTIAL = ".partial"
"""The ending of the hidden names."""

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What flock(2) reports on a file system that has no locks."""

_WITHOUT_FLUSHING = (errno.EINVAL, errno.EOPNOTSUPP)
"""What fsync(2) reports for directories on a file system that cannot flush them."""


_DYING = 2.0
"""Seconds for which a lock is waited for: the system releases that of a large process after a while."""


class BusyError(CclearnError):
    """A run that is still alive is writing the same output."""


def partial_of(path: Path) -> Path:
    """Return the hidden name under which the file `path` is written, and which guards a folder."""
    return path.with_name(f".{path.name}{PARTIAL}")


def is_partial(path: Path) -> bool:
    """Say whether a path has a hidden name that `partial_of` gives."""
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


@contextmanager
def claimed(path: Path) -> Iterator[int]:
    """Create and lock the hidden file beside `path`, as the only process that may write `path`.

    What a killed process left under the hidden name is removed. At the end the file is removed, unless
    it has been renamed to `path`.

    Args:
        path: The output. Its folder must exist.

    Yields:
        The descriptor of the hidden file, open for reading and writing, with mode 0600. The context
        closes it.

    Raises:
        BusyError: A process that is alive writes `path`, or the file system has no locks and a hidden
            file is there.
    """
    partial = partial_of(path)
    descriptor = _create_locked(partial, path)
    try:
        yield descriptor
    finally:
        if _names(partial, descriptor):
            partial.unlink()
        os.close(descriptor)


def _create_locked(partial: Path, path: Path) -> int:
    while True:
        try:
            # O_EXCL follows no symbolic link, and never opens a file that somebody else prepared.
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            _remove_abandoned(partial, path)
            continue
        # Another process may have taken the new file for an abandoned one before it was locked.
        if _lock(descriptor) is not False and _names(partial, descriptor):
            return descriptor
        os.close(descriptor)


def _remove_abandoned(partial: Path, path: Path) -> None:
    """Remove a hidden file that no living process holds. Raises BusyError if one does."""
    if partial.is_symlink():
        partial.unlink(missing_ok=True)
        return
    try:
        descriptor = open_unlinked(partial)
    except FileNotFoundError:
        return
    try:
        deadline = time.monotonic() + _DYING
        while (locked := _lock(descriptor)) is False and time.monotonic() < deadline:
            time.sleep(0.05)
        if locked is False:
            raise BusyError(
                f"output (out = {path}): another run is writing it. Wait for it, or name another output."
            )
        if locked is None:
            raise BusyError(
                f"output (out = {path}): the file system has no locks, so that nobody can tell whether"
                f" the run that wrote {partial} is alive. Remove that file if no run is."
            )
        # A lock on the file that the name still stands for: its writer is gone.
        if _names(partial, descriptor):
            partial.unlink()
    finally:
        os.close(descriptor)


def open_unlinked(path: Path, flags: int = 0) -> int:
    """Open a file for reading and writing, neither through a symbolic link nor waiting for a pipe.

    Args:
        path: The file. It is not truncated.
        flags: Further flags of open(2). A file that they create has mode 0600.

    Raises:
        CclearnError: `path` is a symbolic link.
        OSError: As for `os.open`.
    """
    flags |= os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CclearnError(f"{path}: it is a symbolic link. Remove it.") from None
        raise


def _lock(descriptor: int) -> bool | None:
    """Lock a file without waiting; return whether it worked, None where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        return None
    return True


def _names(path: Path, descriptor: int) -> bool:
    """Say whether a path still stands for an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def held(path: Path, shared: bool) -> Iterator[int]:
    """Hold a lock file that stays: it is created where it is missing, and never truncated.

    Args:
        path: The lock file.
        shared: Whether other processes may hold it at the same time.

    Yields:
        The descriptor, on which the kind of lock can be changed.

    Raises:
        BlockingIOError: A living process holds the lock.
        CclearnError: The file is a symbolic link.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        descriptor = open_unlinked(path, os.O_CREAT)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            # The holder before may have removed the file together with its folder.
            if _names(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder and the missing ones above it with mode 0700; an existing one stays as it is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):  # Another process may have created it; a file is told below.
        path.mkdir(mode=0o700)
        flush(path.parent)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def seal_folder(folder: Path) -> None:
    """Make everything in a folder private and durable, before the folder takes its final name.

    Files get mode 0600 and folders 0700. Files are flushed to the disk, then the folders that name them.
    Symbolic links are left alone.
    """
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(place, name)
            if stat.S_ISREG(path.lstat().st_mode):
                path.chmod(0o600)
                flush(path)
        Path(place).chmod(0o700)
        flush(Path(place))


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _WITHOUT_FLUSHING or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a symbolic link, or a folder with everything in it; nothing if it is missing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
