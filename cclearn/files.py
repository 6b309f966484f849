"""Files written whole or not at all, their hashes, and the cache folder."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cclearn.errors import CclearnError, DataError


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
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


_OURS = ("manifest.json", "metrics.json")
"""One of them stands in every folder that is written whole."""


@contextmanager
def atomic_folder(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a folder beside `path` to fill; it takes the name `path` only when the block succeeds.

    Args:
        path: The folder to make.
        overwrite: Whether an existing, non-empty folder may be replaced.

    Raises:
        CclearnError: `path` exists, is not empty, and `overwrite` is false or nothing shows that it was
            written so; or it is a file, or the working directory lies in it.
    """
    path = path.resolve()
    refuse_existing(path, overwrite)
    if path.is_file() or Path.cwd().is_relative_to(path):
        raise CclearnError(
            f"output (out = {path}): it is a file, or the working directory lies in it."
            " Name another folder."
        )
    if path.exists() and any(path.iterdir()) and not any((path / name).is_file() for name in _OURS):
        raise CclearnError(
            f"output (out = {path}): it holds none of {', '.join(_OURS)}, so it is not one that"
            " cclearn wrote, and is not replaced. Name another folder."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.partial-"))
    try:
        yield partial
        if path.exists():
            old = partial.with_name(partial.name + "-replaced")
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
        f"output (out = {path}): it exists already. Name another folder or pass --overwrite."
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


def read_xml(path: Path) -> Any:
    """Read an XML file and return its root element; nothing outside the file is ever fetched.

    Raises:
        DataError: It is missing, is no XML or is cut off.
    """
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(read_bytes(path))  # noqa: S314 - expat resolves nothing
    except ElementTree.ParseError as error:
        line, column = error.position
        raise DataError(path, f"not whole XML at column {column}", line) from None


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


def sha256_of_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys and a final newline, whole or not at all."""
    with atomic_file(path) as stream:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        stream.write(text.encode("utf-8") + b"\n")
