"""Private, durable outputs: locks that show whether a writer is alive, permissions, flushing to disk.

An output is written under a hidden name beside its final path first. The hidden name is always the same,
so a killed process leaves at most one file or folder, and the next process removes it. A lock (flock(2))
on the hidden file shows whether its writer is alive. The system releases the lock when the process ends,
in whichever way. A process id would not do: ids are reused, and have no meaning on another machine that
shares the file system. Files have mode 0600 and folders 0700, because outputs may contain text of notes.
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
"""Ending of the hidden names."""

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Error numbers of flock(2) on a file system without locks."""

_WITHOUT_FLUSHING = (errno.EINVAL, errno.EOPNOTSUPP)
"""Error numbers of fsync(2) for folders on a file system that cannot flush them."""


_LOCK_TIMEOUT = 2.0
"""Seconds to wait for a lock. The system needs a moment to release the lock of a large process."""


class BusyError(CclearnError):
    """Another run, which is alive, is writing the same output."""


def partial_of(path: Path) -> Path:
    """Return the hidden path at which the file `path` is written, or which locks the folder `path`."""
    return path.with_name(f".{path.name}{PARTIAL}")


def is_partial(path: Path) -> bool:
    """Return whether a path has a hidden name as `partial_of` returns it."""
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


@contextmanager
def claimed(path: Path) -> Iterator[int]:
    """Create and lock the hidden file beside `path`. Only this process may write `path` meanwhile.

    A hidden file that a killed process left is removed. At the end, the hidden file is removed unless it
    has been renamed to `path`.

    Args:
        path: Path of the output. Its folder must exist.

    Yields:
        The descriptor of the hidden file, open for reading and writing, with mode 0600. The context
        manager closes it.

    Raises:
        BusyError: Another process is writing `path`, or the file system has no locks and there is a
            hidden file.
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
        except OSError as error:
            error.filename = str(path)  # The user has named this path, not the hidden file.
            raise
        # Another process may have taken the new file for an abandoned one before it was locked.
        if _lock(descriptor) is not False and _names(partial, descriptor):
            return descriptor
        os.close(descriptor)


def _remove_abandoned(partial: Path, path: Path) -> None:
    """Remove a hidden file that no process has locked. Raise BusyError if a process has locked it."""
    if partial.is_symlink():
        partial.unlink(missing_ok=True)
        return
    try:
        descriptor = open_unlinked(partial)
    except FileNotFoundError:
        return
    try:
        deadline = time.monotonic() + _LOCK_TIMEOUT
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
        # The lock is on the file that still has this name, so its writer has ended.
        if _names(partial, descriptor):
            partial.unlink()
    finally:
        os.close(descriptor)


def open_unlinked(path: Path, flags: int = 0) -> int:
    """Open a file for reading and writing. Symbolic links are not followed, and pipes do not block.

    Args:
        path: Path of the file. The file is not truncated.
        flags: Further flags for open(2). A file that is created has mode 0600.

    Raises:
        CclearnError: `path` is a symbolic link.
        OSError: The file cannot be opened.
    """
    flags |= os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CclearnError(f"{path}: it is a symbolic link. Remove it.") from None
        raise


def _lock(descriptor: int) -> bool | None:
    """Lock a file without waiting. Return whether it is locked, or None if there are no locks."""
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
    """Return whether a path is still the path of an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def lock_file(path: Path, shared: bool) -> Iterator[int]:
    """Lock a file that is kept afterwards. It is created if it is missing, and never truncated.

    Args:
        path: Path of the lock file.
        shared: Whether other processes may lock it at the same time.

    Yields:
        The descriptor of the file, with which the kind of lock can be changed.

    Raises:
        BlockingIOError: Another process has locked the file.
        CclearnError: The file is a symbolic link.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        descriptor = open_unlinked(path, os.O_CREAT)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            # The previous process may have removed the file together with its folder.
            if _names(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents with mode 0700. Existing folders are not changed."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):  # Another process may have created it. A file is refused below.
        path.mkdir(mode=0o700)
        flush(path.parent)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def seal_folder(folder: Path) -> None:
    """Make everything in a folder private and durable, before the folder gets its final name.

    Files get mode 0600 and folders 0700. Files are flushed to the disk first, then the folders that
    contain them. Symbolic links are not changed.
    """
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(parent, name)
            if stat.S_ISREG(path.lstat().st_mode):
                path.chmod(0o600)
                flush(path)
        Path(parent).chmod(0o700)
        flush(Path(parent))


def flush(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _WITHOUT_FLUSHING or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a symbolic link, or a folder with its content. A missing path is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
