"""The content that comes with the package."""

from __future__ import annotations

from functools import lru_cache

from cclearn.codes import CodeSystem
from data_builders.content.reading import Content, read_content, shipped_files


@lru_cache(maxsize=1)
def shipped_content(system: CodeSystem) -> Content:
    """Return all content of the package."""
    return read_content(shipped_files(), system)
