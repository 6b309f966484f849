"""Where the table of a code system is read from: a package, official files or a user's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path

from cclearn.codes.table import CodeTable
from cclearn.codes.traits import NATIVE, official_name, traits_of
from cclearn.errors import ConfigurationError, DataError, did_you_mean
from cclearn.runtime.files import sha256_of_file


@dataclass(frozen=True, slots=True)
class OfficialSource:
    """A table of a code system that can be read.

    Attributes:
        name: Name of the code system.
        identity: Names of the files with their versions or hashes. Caches are bound to it.
        read: Function that reads the table.
    """

    name: str
    identity: str
    read: Callable[[], CodeTable] = field(compare=False)


def find_source(name: str, release: str | Path | None) -> OfficialSource:
    """Find the source that a code system is read from.

    Args:
        name: Name of the code system: `icd10cm`, `icd9cm`, or the name of a user's system. The path of a
            `.csv` file stands for a user's system that is named after the file.
        release: Path of the files to read, None for the release that comes with the package. For
            ICD-10-CM an order file, a tabular list in XML, or a folder with both; for ICD-9-CM the title
            file; for a user's system the CSV file.

    Raises:
        ConfigurationError: The name is not known, or the system needs a file.
        DataError: The file is missing, or the system is not read from such a file.
    """
    if name.endswith(".csv") and release is None:
        name, release = Path(name).stem, name
    name = official_name(name)
    traits = traits_of(name)
    path = None if release is None else Path(release)
    if path is not None and not path.exists():
        raise DataError(path, "no such file")
    if path is None and traits.file_needed:
        raise ConfigurationError([f"code system (name = {name}): {traits.file_needed}"])
    if traits.official_source is not None:
        # The readers are imported only here: a table from the cache needs none of them.
        module, _, function = traits.official_source.partition(":")
        source: OfficialSource = getattr(import_module(module), function)(path)
        return source
    if path is None:
        problem = f"code system (name = {name}): not known.{did_you_mean(name, NATIVE)}"
        known = ", ".join(NATIVE)
        raise ConfigurationError(
            [f"{problem} Use one of: {known}; or name a table of your own, a .csv file."]
        )
    return file_source(name, path, _read_user_table)


def file_source(name: str, path: Path, read: Callable[[Path], CodeTable]) -> OfficialSource:
    """Return the source of a table that is read from one file."""
    return OfficialSource(name, f"{path.name} {sha256_of_file(path)}", partial(read, path))


def _read_user_table(path: Path) -> CodeTable:
    from cclearn.codes.user_table import read_user_table

    return read_user_table(path)
