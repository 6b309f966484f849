"""The cache folder. Its files can be rebuilt, and each one contains a description of its source."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path

from cclearn.runtime.durable import BusyError
from cclearn.runtime.files import atomic_file, sha256_of_text


def cache_folder() -> Path:
    """Return the cache folder: `$CCLEARN_CACHE`, or `cclearn` in the XDG cache folder."""
    setting = os.environ.get("CCLEARN_CACHE")
    if setting:
        return Path(setting)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cclearn"


def cache_file(name: str, source: str, ending: str) -> Path:
    """Return the path of a cache file. Files that are built from different sources have different paths.

    Args:
        name: Name of the content, for example of a code system.
        source: Description of what the content is built from, with every version that matters.
        ending: Ending of the file's name, without a dot.
    """
    return cache_folder() / f"{name}-{sha256_of_text(source)[:16]}.{ending}"


def write_sealed(path: Path, content: bytes, source: str) -> None:
    """Write a cache file. Its first line contains its source and its checksum.

    Nothing is written if another process is writing the same file.

    Args:
        path: Path of the file.
        content: Content of the file.
        source: Description of what the content was built from. `read_sealed` must be given the same.
    """
    seal = {"source": source, "crc32": zlib.crc32(content), "bytes": len(content)}
    with suppress(BusyError), atomic_file(path) as stream:
        stream.write(json.dumps(seal).encode() + b"\n" + content)


def read_sealed(path: Path, source: str) -> bytes | None:
    """Return the content of a cache file, or None if it is missing, damaged or from another source."""
    try:
        head, _, content = path.read_bytes().partition(b"\n")
        seal = json.loads(head)
        is_complete = seal["bytes"] == len(content) and seal["crc32"] == zlib.crc32(content)
        return content if is_complete and seal["source"] == source else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
