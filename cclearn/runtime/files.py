"""Files written whole or not at all, their hashes, and the cache folder."""

from __future__ import annotations

import errno
import fcntl
import gc
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from cclearn.errors import CclearnError, DataError
from cclearn.runtime.durable import (
    claimed,
    flush,
    held,
    is_partial,
    make_folder,
    partial_of,
    remove,
    seal_folder,
)


@contextmanager
def making_many_objects() -> Iterator[None]:
    """Hold the garbage collector while a large table is built: it would find nothing, slowly."""
    held = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if held:
            gc.enable()


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no more room."""


@contextmanager
def atomic_file(path: Path, overwrite: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when it is complete and on the disk, with mode 0600.

    Until then it is `.NAME.partial` in the same folder, locked while this process lives; the next call
    for the same path removes what a killed process left (`cclearn.runtime.durable`).

    Args:
        path: The file to write. Its folder is created with mode 0700 if it is missing.
        overwrite: Whether a file that exists is replaced. This is checked before the first byte is
            written and again when the file takes its name, while the lock keeps other runs out.

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
                error.filename = str(path)  # The call that failed does not say it.
            raise


LISTING = ".cclearn.json"
"""In every folder that is written whole: what wrote it, and which files."""


@contextmanager
def atomic_folder(path: Path, overwrite: bool = False, kind: str = "output") -> Iterator[Path]:
    """Give a folder beside `path` to fill; it takes the name `path` only when the block succeeds.

    The folder has mode 0700 from its creation, so nobody else can read a file in it, whatever the
    file's own mode. Before it takes its name, every file in it gets mode 0600 and is flushed to the
    disk, and the folder above is flushed afterwards. What a killed process left is removed.

    Args:
        path: The folder to make.
        overwrite: Whether an existing, non-empty folder may be replaced.
        kind: Of what is written; only a folder of the same kind is replaced.

    Raises:
        CclearnError: `path` exists, is not empty, and `overwrite` is false, or it holds what was not
            written so; or it is a file, or the working directory lies in it; or another run is
            writing it.
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
            # Again: somebody may have written there meanwhile.
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
    """Return where `atomic_folder` lets the folder `path` be filled, the same for every process."""
    return _beside(path.resolve())[0]


def _beside(path: Path) -> tuple[Path, Path]:
    """Return the hidden names of the folder that is being filled, and of the one that it replaces."""
    guard = partial_of(path)
    return guard.with_name(f"{guard.name}.new"), guard.with_name(f"{guard.name}.old")


def _clear(path: Path) -> None:
    """Remove what a killed process left beside a folder, which this process has claimed.

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
            f"output (out = {path}): it is a file, or the working directory lies in it."
            " Name another folder."
        )
    if not path.exists() or not any(path.iterdir()):
        return
    try:
        listing = json.loads((path / LISTING).read_text(encoding="utf-8"))
        of, ours = listing["kind"], set(listing["files"])
    except (OSError, ValueError, KeyError, TypeError):
        of, ours = None, set()
    strange = sorted(_files_in(path) - ours)
    if of != kind or strange:
        why = (
            f"it is no {kind} that cclearn wrote"
            if of != kind
            else f"it holds what cclearn did not write ({', '.join(strange[:5])})"
        )
        raise CclearnError(
            f"output (out = {path}): {why}, and is not replaced. Name another folder."
        )


def _list_files(folder: Path, kind: str) -> None:
    _write_listing(folder / LISTING, {"kind": kind, "files": sorted(_files_in(folder))})


def list_file(path: Path) -> None:
    """Add a file to the listing of its folder, so that the folder may still be replaced; a folder that
    has none stays without."""
    place = path.parent / LISTING
    if not place.is_file():
        return
    listing = json.loads(read_text(place))
    _write_listing(place, {**listing, "files": sorted({*listing["files"], path.name})})


def _write_listing(place: Path, listing: dict[str, Any]) -> None:
    with atomic_file(place) as stream:
        # In ASCII, because names of files need not be UTF-8.
        stream.write(json.dumps(listing, indent=2).encode() + b"\n")


def _files_in(folder: Path) -> set[str]:
    """Return the files in a folder and below it, without the listing and what is only half-written."""
    paths = (p for p in folder.rglob("*") if not (p.is_dir() or is_partial(p)))
    return {p.relative_to(folder).as_posix() for p in paths} - {LISTING}


LOCK = ".lock"
"""In a folder that one run writes to over a long time."""


@contextmanager
def writing_alone(folder: Path, along: bool = False) -> Iterator[Callable[[], None]]:
    """Let one run write to a folder; the lock goes with the process, however it ends.

    Gives a function that lets other processes of the run write along.

    Args:
        folder: It is created with mode 0700 if it is missing.
        along: Whether this is such a process.

    Raises:
        CclearnError: Another run writes there, or what is left of one; or the lock file is a symbolic
            link.
    """
    make_folder(folder)
    try:
        with held(folder / LOCK, shared=along) as lock:
            yield partial(fcntl.flock, lock, fcntl.LOCK_SH)
    except BlockingIOError:
        raise CclearnError(
            f"output (folder = {folder}): another run is writing there. Wait for it, or name another"
            " output."
        ) from None


def refuse_existing(path: Path, overwrite: bool, tidy: bool = True) -> None:
    """Raise unless `path` is free, an empty folder, or may be overwritten.

    Args:
        path: The file or folder that is going to be written.
        overwrite: Whether it may exist.
        tidy: Whether what a killed run left beside it is removed first. Of several processes that
            write one output together, one must tidy, before any of them begins.

    Raises:
        CclearnError: The path is taken, or another run is writing it.
    """
    # Folders are written where a symbolic link leads to, files in the place of the link.
    for place in dict.fromkeys((path.absolute(), path.resolve())) if tidy else ():
        if place.name and any(map(os.path.lexists, (partial_of(place), *_beside(place)))):
            with claimed(place):
                _clear(place)
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
    """Read a UTF-8 file exactly as it is: no newline conversion, no stripping.

    Raises:
        DataError: The file is missing, is not a file, or is not UTF-8.
    """
    return decode_text(read_bytes(path), path)


def read_lines(path: Path) -> list[str]:
    r"""Read the lines of a UTF-8 file, without a byte-order mark and without the line ends.

    Only `\n`, `\r\n` and `\r` end a line: a field may hold any other separator of Unicode.

    Raises:
        DataError: As for `read_text`.
    """
    lines = re.split(r"\r\n|\r|\n", read_text(path).removeprefix("\ufeff"))
    return lines if lines[-1] else lines[:-1]


def read_bytes(path: Path) -> bytes:
    """Read a file's bytes.

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
        DataError: With the offset of the first byte that is not UTF-8; never the bytes themselves.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(path, f"not UTF-8 at byte {error.start}. Convert it first.", line) from None


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_json(path: Path, value: Any, overwrite: bool = True) -> None:
    """Write JSON with sorted keys and a final newline; `overwrite` is that of `atomic_file`."""
    with atomic_file(path, overwrite) as stream:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        stream.write(text.encode("utf-8") + b"\n")
