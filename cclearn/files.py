"""Files written whole or not at all, their hashes, and the cache folder."""

from __future__ import annotations

import errno
import fcntl
import gc
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from cclearn.errors import CclearnError, DataError, foreign_errors


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


def cache_folder() -> Path:
    """Return the folder for rebuildable files: `$CCLEARN_CACHE`, else the XDG cache folder."""
    named = os.environ.get("CCLEARN_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cclearn"


def cache_file(name: str, source: str, ending: str) -> Path:
    """Return the place of a cache file; what is made from different sources stands side by side.

    Args:
        name: What it is of, e.g. a code system.
        source: What it is made from, with every version that matters.
        ending: The file's.
    """
    return cache_folder() / f"{name}-{sha256_of_text(source)[:16]}.{ending}"


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no more room."""


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when it is complete, readable by its owner alone.

    Args:
        path: Where the file shall be; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600: outputs may hold text of notes.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL:
            error.filename = str(path)  # The call that failed does not say it.
        raise


LISTING = ".cclearn.json"
"""In every folder that is written whole: what wrote it, and which files."""

_REPLACED = "-replaced"


@contextmanager
def atomic_folder(path: Path, overwrite: bool = False, kind: str = "output") -> Iterator[Path]:
    """Give a folder beside `path` to fill; it takes the name `path` only when the block succeeds.

    What a process that was killed left beside it is removed: it may hold text of notes.

    Args:
        path: The folder to make.
        overwrite: Whether an existing, non-empty folder may be replaced.
        kind: Of what is written; only a folder of the same kind is replaced.

    Raises:
        CclearnError: `path` exists, is not empty, and `overwrite` is false, or it holds what was not
            written so; or it is a file, or the working directory lies in it.
    """
    path = path.resolve()
    _remove_abandoned(path)
    _refuse_replacing(path, overwrite, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{_partial_of(path)}{os.getpid()}-"))
    try:
        yield partial
        _list_files(partial, kind)
        # Again: another run may have written there meanwhile.
        _refuse_replacing(path, overwrite, kind)
        if path.exists():
            old = partial.with_name(partial.name + _REPLACED)
            os.replace(path, old)
            try:
                os.replace(partial, path)
            except BaseException:
                os.replace(old, path)
                raise
            shutil.rmtree(old)
        else:
            os.replace(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _refuse_replacing(path: Path, overwrite: bool, kind: str) -> None:
    refuse_existing(path, overwrite)
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
    files = sorted(_files_in(folder))
    text = json.dumps({"kind": kind, "files": files}, indent=2) + "\n"
    (folder / LISTING).write_text(text, encoding="utf-8")


def list_file(path: Path) -> None:
    """Add a file to the listing of its folder, so that the folder may still be replaced; a folder that
    has none stays without."""
    place = path.parent / LISTING
    if not place.is_file():
        return
    listing = json.loads(read_text(place))
    listing["files"] = sorted({*listing["files"], path.name})
    place.write_text(json.dumps(listing, indent=2) + "\n", encoding="utf-8")


def _files_in(folder: Path) -> set[str]:
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return names - {LISTING}


def _partial_of(path: Path) -> str:
    return f".{path.name}.partial-{platform.node()}-"


def _remove_abandoned(path: Path) -> None:
    """Remove what processes of this machine that are gone left half-written.

    One that was stopped while it replaced the folder gives the old one back.
    """
    for left in sorted(path.parent.glob(f"{glob.escape(_partial_of(path))}*"), reverse=True):
        process = left.name.removeprefix(_partial_of(path)).partition("-")[0]
        if not process.isdigit() or _runs(int(process)):
            continue
        if left.name.endswith(_REPLACED) and not path.exists():
            os.replace(left, path)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


LOCK = ".lock"
"""In a folder that one run writes to over a long time."""


@contextmanager
def writing_alone(folder: Path, along: bool = False) -> Iterator[Callable[[], None]]:
    """Let one run write to a folder; the lock goes with the process, however it ends.

    Gives a function that lets other processes of the run write along.

    Args:
        folder: It is made where it is missing.
        along: Whether this is such a process.

    Raises:
        CclearnError: Another run writes there, or what is left of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if along else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CclearnError(
                f"output (folder = {folder}): another run is writing there. Wait for it, or name another"
                " output."
            ) from None
        yield partial(fcntl.flock, lock, fcntl.LOCK_SH)


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise unless `path` is free, an empty folder, or may be overwritten.

    Raises:
        CclearnError: The path is taken.
    """
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


_DEEPEST = 100
"""How deeply the elements of an XML file, or the values of a JSON file, may be nested."""


def read_xml(path: Path) -> Any:
    """Read an XML file and return its root element; nothing outside the file is ever fetched.

    Raises:
        DataError: It is missing, is no XML, is cut off, has an encoding that is not known, or is nested
            more than 100 elements deep.
    """
    from xml.etree import ElementTree

    content = read_bytes(path)
    with foreign_errors(lambda place: DataError(path, f"cannot be read as XML ({place})")):
        try:
            root = ElementTree.fromstring(content)  # noqa: S314 - expat resolves nothing
        except ElementTree.ParseError as error:
            line, column = error.position
            raise DataError(path, f"not whole XML at column {column}", line) from None
    below = [root]
    for _ in range(_DEEPEST):
        below = [child for node in below for child in node]
        if not below:
            return root
    raise DataError(path, f"nested more than {_DEEPEST} elements deep")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: It is missing, is no JSON, holds half of a surrogate pair or too long a number, or is
            nested more than 100 values deep.
    """
    return parse_json(read_text(path), path)


def parse_json(text: str, path: object, line: int | None = None) -> Any:
    """Parse JSON of a file.

    Args:
        text: What to parse.
        path: What messages call the file.
        line: The 1-based line that the text is, if it is one.

    Raises:
        DataError: As for `read_json`.
    """
    with foreign_errors(lambda place: DataError(path, f"not JSON ({place})", line)):
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            number = line if line is not None else error.lineno
            raise DataError(path, f"not JSON at column {error.colno}", number) from None
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    below = [value]
    for _ in range(_DEEPEST):
        below = [
            part
            for each in below
            if isinstance(each, (dict, list))
            for part in (each.values() if isinstance(each, dict) else each)
        ]
        if not below:
            return value
    raise DataError(path, f"nested more than {_DEEPEST} values deep", line)


def write_sealed(path: Path, content: bytes, source: str) -> None:
    """Write a cache file whose first line says what it was made from and its checksum.

    Args:
        path: The file.
        content: What to keep.
        source: What it was made from, with every version that matters; a read names the same.
    """
    seal = {"source": source, "crc32": zlib.crc32(content), "bytes": len(content)}
    with atomic_file(path) as stream:
        stream.write(json.dumps(seal).encode() + b"\n" + content)


def read_sealed(path: Path, source: str) -> bytes | None:
    """Return a cache file's content, None when it is missing, damaged or of another source."""
    try:
        head, _, content = path.read_bytes().partition(b"\n")
        seal = json.loads(head)
        whole = seal["bytes"] == len(content) and seal["crc32"] == zlib.crc32(content)
        return content if whole and seal["source"] == source else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """Return a hash of the names and the content of all files in a folder, in those below it too."""
    names = sorted(_files_in(folder))
    return sha256_of_text("\n".join(f"{name}\0{sha256_of_file(folder / name)}" for name in names))


def sha256_of_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys and a final newline, whole or not at all."""
    with atomic_file(path) as stream:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        stream.write(text.encode("utf-8") + b"\n")
