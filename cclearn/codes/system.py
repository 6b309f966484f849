"""A code system: its codes, how they are loaded, and how they are searched."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.search import Hit, search
from cclearn.codes.sources import OfficialSource, find_source
from cclearn.codes.table import CodeTable, LazyTable, load_table, save_table
from cclearn.runtime.caches import cache_file
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.garbage_collection import paused_garbage_collection


class CodeSystem(CodeHierarchy):
    """A release of a code system, a read-only mapping from its codes, headers included.

    Its attributes are those of `CodeHierarchy`.
    """

    @classmethod
    def load(
        cls,
        name: str = "icd10cm",
        release: str | Path | None = None,
        earlier: Sequence[str | Path] = (),
    ) -> CodeSystem:
        """Load a code system, from the cache if it is complete and up to date.

        Args:
            name: Name of the code system: `icd10cm`, `icd9cm`, or the name of a user's system. The
                path of a `.csv` file stands for a user's system (`cclearn.codes.user_table` lists the
                columns).
            release: Path of the files to read, None for the release of ICD-10-CM that comes with a
                package. The files are an order file, a tabular list in XML or a folder with both for
                ICD-10-CM, the title file for ICD-9-CM, and the CSV file for a user's system.
            earlier: Paths of the files of earlier releases. Codes that are only in these are `retired`.

        Raises:
            ConfigurationError: The name is not known, or the system needs a file.
            DataError: A file is missing or not valid.
        """
        source = find_source(name, release)
        system = _load(source)
        if not earlier:
            return system
        old = [_load(find_source(source.name, path)) for path in earlier]
        return cls(system.name, system._table, system.source, old)

    def search(
        self,
        text: str,
        limit: int = 10,
        *,
        billable: bool = False,
        chapter: str | None = None,
    ) -> list[Hit]:
        """Return the codes that a text names, the nearest first.

        The text is read as clinicians write: abbreviations, clinical phrases, any order of words,
        British spelling and typing errors (`cclearn.codes.search`).

        Args:
            text: Text to search for, or a code.
            limit: Maximum number of codes. Every code occurs once.
            billable: Whether only billable codes are returned.
            chapter: Chapter whose codes are returned: its number (`9`, or `IX`), its codes
                (`I00-I99`), or a block or header below it (`I20-I25`). None for all chapters.

        Raises:
            ConfigurationError: There is no such chapter.
        """
        return search(self, text, limit, billable=billable, chapter=chapter)


@lru_cache(maxsize=8)
@logged_step("load code system", __name__)
def _load(source: OfficialSource) -> CodeSystem:
    path = cache_file(source.name, source.identity, "arrow")
    table: CodeTable | LazyTable | None = load_table(path, source.identity)
    if table is None:
        with paused_garbage_collection():
            table = source.read()
        # Without a writable cache, only the next load takes longer.
        with contextlib.suppress(OSError):
            save_table(table, path, source.identity)
    return CodeSystem(source.name, table, source.identity)
