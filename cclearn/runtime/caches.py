"""The cache folder: files that can be made again, sealed with what they were made from."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path

from cclearn.runtime.durable import BusyError
from cclearn.runtime.files import atomic_file, sha256_of_text


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


def write_sealed(path: Path, content: bytes, source: str) -> None:
    """Write a cache file whose first line says what it was made from and its checksum.

    Nothing is written where another process is writing the same file.

    Args:
        path: The file.
        content: What to keep.
        source: What it was made from, with every version that matters; a read names the same.
    """
    seal = {"source": source, "crc32": zlib.crc32(content), "bytes": len(content)}
    with suppress(BusyError), atomic_file(path) as stream:
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
