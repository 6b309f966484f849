"""Where the table of a code system comes from: a package, an official file, a user's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import distribution, version
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.codes.table import CodeTable, Kind
from cclearn.codes.tabular import read_tabular
from cclearn.errors import ConfigurationError, DataError, did_you_mean
from cclearn.runtime.files import sha256_of_file

if TYPE_CHECKING:
    from cclearn.codes.order_file import OrderRow

PACKAGE = "simple-icd-10-cm"
"""Carries a release of ICD-10-CM (CDC, public domain): the tabular list and all valid codes."""

SYSTEMS = ("icd10cm", "icd9cm")
"""The systems whose official files are understood; every other name goes with a user's table."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table that can be read.

    Attributes:
        name: Of the code system.
        identity: What the table is made from, with its version or hash; caches are bound to it.
        read: Reads it.
    """

    name: str
    identity: str
    read: Callable[[], CodeTable] = field(compare=False)


def find_source(name: str, release: str | Path | None) -> Source:
    """Find where to read a code system from.

    Args:
        name: `icd10cm`, `icd9cm`, or the name of a user's system; a path to a `.csv` file is a
            user's system named after it.
        release: None for the release that comes with the package. For ICD-10-CM an order file, a
            tabular list in XML, or a folder with both; for ICD-9-CM the title file; else the CSV file.

    Raises:
        ConfigurationError: The name is not known, or needs a file.
        DataError: The file is missing, or is none that this system is read from.
    """
    if name.endswith(".csv") and release is None:
        name, release = Path(name).stem, name
    if release is None:
        if name == "icd10cm":
            return Source(name, f"{PACKAGE}=={version(PACKAGE)}", _read_package)
        raise ConfigurationError([_needs_a_file(name)])
    path = Path(release)
    if not path.exists():
        raise DataError(path, "no such file")
    if name == "icd10cm":
        return _icd10cm_source(path)
    read = _read_title_file if name == "icd9cm" else _read_user_table
    return Source(name, f"{path.name} {sha256_of_file(path)}", partial(read, path))


def _needs_a_file(name: str) -> str:
    if name == "icd9cm":
        return (
            "code system (name = icd9cm): it comes with no package. Name its title file as release."
        )
    return (
        f"code system (name = {name}): not known.{did_you_mean(name, SYSTEMS)}"
        f" Use one of: {', '.join(SYSTEMS)}; or name a table of your own, a .csv file."
    )


def _read_package() -> CodeTable:
    # Its files alone: importing it would read them a second time, in its own way.
    folder = Path(str(distribution(PACKAGE).locate_file("simple_icd_10_cm"))) / "data"
    tabular = min(folder.glob("*tabular*.xml"))
    listed = min(folder.glob("code-list*.txt")).read_text(encoding="utf-8")
    known = {line.split(" ", 1)[0].replace(".", "") for line in listed.splitlines()}
    return read_tabular(tabular, release_name(tabular), known)


def _icd10cm_source(path: Path) -> Source:
    named = sorted(path.iterdir()) if path.is_dir() else [path]
    tabular = [file for file in named if file.suffix == ".xml" and "tabular" in file.name]
    order = [file for file in named if file.name.removesuffix(".gz").endswith(".txt")]
    if path.is_dir():
        order = [file for file in order if "order" in file.name]
    elif path.suffix == ".xml":
        tabular = [path]
    if len(tabular) > 1 or len(order) > 1 or not tabular + order:
        raise DataError(
            path,
            "neither an order file (icd10cm-order-*.txt or .txt.gz) nor a tabular list (.xml) nor a"
            " folder with one of each",
        )
    identity = " ".join(f"{file.name} {sha256_of_file(file)}" for file in tabular + order)
    read: Callable[[], CodeTable]
    if tabular and order:
        read = partial(_read_both, tabular[0], order[0])
    elif order:
        read = partial(_read_order_file, order[0])
    else:
        read = partial(read_tabular, tabular[0], release_name(tabular[0]))
    return Source("icd10cm", identity, read)


# The readers are imported when one is needed: a table from the cache needs none.


def _read_title_file(path: Path) -> CodeTable:
    from cclearn.codes.icd9cm import read_title_file

    return read_title_file(path)


def _read_user_table(path: Path) -> CodeTable:
    from cclearn.codes.user_table import read_user_table

    return read_user_table(path)


def _read_order_file(path: Path) -> CodeTable:
    from cclearn.codes.order_file import table_of_order_file

    return table_of_order_file(path, release_name(path), _read_package())


def _read_both(tabular: Path, order: Path) -> CodeTable:
    from cclearn.codes.order_file import dotted, read_order_file

    rows = {dotted(row.code): row for row in read_order_file(order)}
    table = read_tabular(tabular, release_name(order), {row.code for row in rows.values()})
    return _with_order_file(table, rows, order)


def _with_order_file(table: CodeTable, rows: dict[str, OrderRow], order: Path) -> CodeTable:
    """Take validity and short titles from the order file, which must hold the same codes."""
    coded = {
        code for code, kind in zip(table.code, table.kind, strict=True) if kind >= Kind.CATEGORY
    }
    alone = sorted(coded ^ rows.keys())
    if alone:
        raise DataError(
            order,
            f"of another release than the tabular list: {len(alone)} codes stand in one of the two"
            f" only, e.g. {', '.join(alone[:3])}",
        )
    for number, code in enumerate(table.code):
        if code in rows:
            table.billable[number] = rows[code].billable
            table.short_title[number] = rows[code].short_title
    return table


def release_name(path: Path) -> str:
    """Return the release that an official file's name says: `icd10cm-order-April-2025.txt.gz`."""
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    for mark in ("tabular-", "order-"):
        if mark in stem:
            return stem.split(mark, 1)[1]
    return stem
