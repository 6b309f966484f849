"""Files and folders that appear only when they are complete, and reading and hashing of files."""

from __future__ import annotations

import csv
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from cclearn.errors import CclearnError, DataError
from cclearn.runtime.durable import (
    claimed,
    flush,
    is_partial,
    lock_file,
    make_folder,
    partial_of,
    remove,
    seal_folder,
)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of the system when there is no more space."""

# The limit applies to the whole process, so that all readers of tables must have the same one. The
# default is too small for notes.
csv.field_size_limit(sys.maxsize)


@contextmanager
def atomic_file(path: Path, overwrite: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that gets its name only when it is complete and on the disk. It has mode 0600.

    Until then it is `.NAME.partial` in the same folder, and it is locked while this process is
    alive. The next call for the same path removes what a killed process left
    (`cclearn.runtime.durable`).

    Args:
        path: Path of the file. Its folder is created with mode 0700 if it is missing.
        overwrite: Whether an existing file is replaced. This is checked before the first byte is written
            and again when the file gets its name. Meanwhile the lock keeps other runs out.

    Raises:
        CclearnError: The file exists and `overwrite` is false, or another run is writing it.
    """
    make_folder(path.parent)
    with claimed(path) as descriptor:
        _refuse_taken(path, overwrite)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                yield stream
                stream.flush()
                os.fsync(descriptor)
            _refuse_taken(path, overwrite)
            os.replace(partial_of(path), path)
            flush(path.parent)
        except OSError as error:
            if error.errno in FULL:
                error.filename = str(path)  # The failed call does not report it.
            raise


LISTING = ".cclearn.json"
"""Name of a file in each folder of `atomic_folder`: the kind of the folder, and its files."""


@contextmanager
def atomic_folder(path: Path, overwrite: bool = False, kind: str = "output") -> Iterator[Path]:
    """Create a folder beside `path`. It is renamed to `path` only if the block succeeds.

    The folder has mode 0700 from its creation, so nobody else can read a file in it, whatever the
    mode of the file. Before the folder is renamed, its files get mode 0600 and are flushed to the
    disk. The parent folder is flushed afterwards. What a killed process left is removed.

    Args:
        path: Path of the folder.
        overwrite: Whether an existing folder that is not empty may be replaced.
        kind: Kind of the output. Only a folder of the same kind is replaced.

    Yields:
        The folder to fill.

    Raises:
        CclearnError: `path` exists and is not empty, and `overwrite` is false. Or the folder contains
            files that `atomic_folder` did not write. Or `path` is a file, or the working directory is in
            it. Or another run is writing it.
    """
    path = path.resolve()
    make_folder(path.parent)
    with claimed(path):
        new, old = _beside(path)
        _clear(path)
        _refuse_replacing(path, overwrite, kind)
        new.mkdir(mode=0o700)
        try:
            yield new
            _list_files(new, kind)
            seal_folder(new)
            # Again, because somebody may have written there meanwhile.
            _refuse_replacing(path, overwrite, kind)
            if path.exists():
                os.replace(path, old)
                try:
                    os.replace(new, path)
                except BaseException:
                    os.replace(old, path)
                    raise
            else:
                os.replace(new, path)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        flush(path.parent)
        remove(old)


def partial_folder(path: Path) -> Path:
    """Return the folder that `atomic_folder` yields for `path`. It is the same for every process."""
    return _beside(path.resolve())[0]


def _beside(path: Path) -> tuple[Path, Path]:
    """Return the hidden paths of the folder that is being filled and of the folder that it replaces."""
    guard = partial_of(path)
    return guard.with_name(f"{guard.name}.new"), guard.with_name(f"{guard.name}.old")


def _clear(path: Path) -> None:
    """Remove what a killed process left beside a folder. This process must have claimed the folder.

    A folder whose replacement was interrupted gets its name back.
    """
    new, old = _beside(path)
    remove(new)
    if old.is_dir() and not old.is_symlink() and not path.exists():
        os.replace(old, path)
    remove(old)


def _refuse_replacing(path: Path, overwrite: bool, kind: str) -> None:
    _refuse_taken(path, overwrite)
    if path.is_file() or Path.cwd().is_relative_to(path):
        raise CclearnError(
            f"output (out = {path}): it is a file, or the working directory is in it."
            " Name another folder."
        )
    if not path.exists() or not any(path.iterdir()):
        return
    try:
        listing = json.loads((path / LISTING).read_text(encoding="utf-8"))
        found_kind, listed = listing["kind"], set(listing["files"])
    except (OSError, ValueError, KeyError, TypeError):
        found_kind, listed = None, set()
    unlisted = sorted(_files_in(path) - listed)
    if found_kind != kind or unlisted:
        why = (
            f"it is no {kind} that cclearn wrote"
            if found_kind != kind
            else f"it contains files that cclearn did not write ({', '.join(unlisted[:5])})"
        )
        raise CclearnError(
            f"output (out = {path}): {why}, and is not replaced. Name another folder."
        )


def _list_files(folder: Path, kind: str) -> None:
    _write_listing(folder / LISTING, {"kind": kind, "files": sorted(_files_in(folder))})


def list_file(path: Path) -> None:
    """Add a file to the listing of its folder, so that the folder may still be replaced.

    Nothing is done if the folder has no listing.
    """
    listing_path = path.parent / LISTING
    if not listing_path.is_file():
        return
    listing = json.loads(read_text(listing_path))
    _write_listing(listing_path, {**listing, "files": sorted({*listing["files"], path.name})})


def _write_listing(path: Path, listing: dict[str, Any]) -> None:
    with atomic_file(path) as stream:
        # ASCII, because names of files need not be UTF-8.
        stream.write(json.dumps(listing, indent=2).encode() + b"\n")


def _files_in(folder: Path) -> set[str]:
    """Return the files in a folder and below it, without the listing and without partial files."""
    paths = (p for p in folder.rglob("*") if not (p.is_dir() or is_partial(p)))
    return {p.relative_to(folder).as_posix() for p in paths} - {LISTING}


LOCK = ".lock"
"""Name of the lock file in a folder that `locked_folder` has locked."""


@contextmanager
def locked_folder(folder: Path, shared: bool = False) -> Iterator[Callable[[], None]]:
    """Lock a folder inside the block, so that no other run writes to it. The lock ends with the process.

    Args:
        folder: Path of the folder. It is created with mode 0700 if it is missing.
        shared: Whether this process belongs to a run whose first process has locked the folder.

    Yields:
        A function that allows the other processes of the run to lock the folder too.

    Raises:
        CclearnError: Another run, or a remaining process of one, has locked the folder. Or the lock file
            is a symbolic link.
    """
    make_folder(folder)
    try:
        with lock_file(folder / LOCK, shared=shared) as lock:
            yield partial(fcntl.flock, lock, fcntl.LOCK_SH)
    except BlockingIOError:
        raise CclearnError(
            f"output (folder = {folder}): another run is writing to it. Wait for it, or name another"
            " output."
        ) from None


def refuse_existing(
    path: Path, overwrite: bool, tidy: bool = True, inputs: Iterable[Path] = ()
) -> None:
    """Raise an error unless `path` does not exist, is an empty folder, or may be overwritten.

    Args:
        path: Path of the file or folder that will be written.
        overwrite: Whether it may exist.
        tidy: Whether to remove first what a killed run left beside it. If several processes write one
            output together, one of them must do so before any of them begins.
        inputs: Files that are read while the output is written. None of them is overwritten.

    Raises:
        CclearnError: The path exists, another run is writing it, or it is one of the inputs.
    """
    if any(file.exists() and path.exists() and file.samefile(path) for file in inputs):
        raise CclearnError(
            f"output (out = {path}): it is an input of the same command. Name another output."
        )
    # A folder is written to the target of a symbolic link. A file replaces the link.
    for target in dict.fromkeys((path.absolute(), path.resolve())) if tidy else ():
        if target.name and any(map(os.path.lexists, (partial_of(target), *_beside(target)))):
            with claimed(target):
                _clear(target)
    _refuse_taken(path, overwrite)


def _refuse_taken(path: Path, overwrite: bool) -> None:
    if overwrite or not path.exists():
        return
    if path.is_dir() and not any(path.iterdir()):
        return
    raise CclearnError(
        f"output (out = {path}): it exists already. Name another or pass --overwrite."
    )


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without any conversion of line ends.

    Raises:
        DataError: The file is missing, is not a file, or is not UTF-8.
    """
    return decode_text(read_bytes(path), path)


def read_lines(path: Path) -> list[str]:
    r"""Return the lines of a UTF-8 file, without a byte-order mark and without the line ends.

    Only `\n`, `\r\n` and `\r` end a line. A field may contain any other separator of Unicode.

    Raises:
        DataError: The file is missing, is not a file, or is not UTF-8.
    """
    lines = re.split(r"\r\n|\r|\n", read_text(path).removeprefix("\ufeff"))
    return lines if lines[-1] else lines[:-1]


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        DataError: The file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(path, "no such file") from None
    except IsADirectoryError:
        raise DataError(path, "it is a folder, not a file") from None
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}") from None


def decode_text(raw: bytes, path: object, line: int | None = None) -> str:
    """Decode UTF-8 strictly.

    Raises:
        DataError: The bytes are not UTF-8. The message contains the offset of the first wrong byte, and
            never the bytes.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(path, f"not UTF-8 at byte {error.start}. Convert it first.", line) from None


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_path(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, or of the names and the hashes of a folder's files."""
    if not path.is_dir():
        return sha256_of_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = (f"{file.relative_to(path).as_posix()}\t{sha256_of_file(file)}\n" for file in files)
    return sha256_of_text("".join(lines))


def sha256_of_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_json(path: Path, value: Any, overwrite: bool = True) -> None:
    """Write a JSON file with sorted keys and a final newline.

    Args:
        path: Path of the file.
        value: Value to write.
        overwrite: Whether an existing file is replaced.
    """
    with atomic_file(path, overwrite) as stream:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        stream.write(text.encode("utf-8") + b"\n")
