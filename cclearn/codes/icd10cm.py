"""ICD-10-CM from its official files: the tabular list in XML, the order file, or both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import distribution, version
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.codes.sources import OfficialSource
from cclearn.codes.table import CodeTable, Kind
from cclearn.codes.tabular import read_tabular
from cclearn.errors import DataError
from cclearn.runtime.files import sha256_of_file

if TYPE_CHECKING:
    from cclearn.codes.order_file import OrderRow

_NAME = "icd10cm"

_PACKAGE = "simple-icd-10-cm"
"""The package that contains a release (CDC, public domain): the tabular list and all valid codes."""


def find_official_source(path: Path | None) -> OfficialSource:
    """Find the source of a release.

    Args:
        path: Path of an order file, of a tabular list in XML, or of a folder with one of each; None for
            the release that comes with the package.

    Raises:
        DataError: There is no such file at the path, or more than one.
    """
    if path is None:
        return OfficialSource(_NAME, f"{_PACKAGE}=={version(_PACKAGE)}", _read_package)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tabular = [file for file in files if file.suffix == ".xml" and "tabular" in file.name]
    order = [file for file in files if file.name.removesuffix(".gz").endswith(".txt")]
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
    return OfficialSource(_NAME, identity, read)


def _read_package() -> CodeTable:
    # The files are read directly: importing the package would parse them a second time.
    folder = Path(str(distribution(_PACKAGE).locate_file("simple_icd_10_cm"))) / "data"
    tabular = min(folder.glob("*tabular*.xml"))
    listed = min(folder.glob("code-list*.txt")).read_text(encoding="utf-8")
    valid_codes = {line.split(" ", 1)[0].replace(".", "") for line in listed.splitlines()}
    return read_tabular(tabular, release_name(tabular), valid_codes)


def _read_order_file(path: Path) -> CodeTable:
    from cclearn.codes.order_file import table_of_order_file

    return table_of_order_file(path, release_name(path), _read_package())


def _read_both(tabular: Path, order: Path) -> CodeTable:
    from cclearn.codes.order_file import dotted, read_order_file

    rows = {dotted(row.code): row for row in read_order_file(order)}
    table = read_tabular(tabular, release_name(order), {row.code for row in rows.values()})
    return _with_order_file(table, rows, order)


def _with_order_file(table: CodeTable, rows: dict[str, OrderRow], order: Path) -> CodeTable:
    """Take validity and short titles from the order file, which must contain the same codes."""
    coded = {
        code for code, kind in zip(table.code, table.kind, strict=True) if kind >= Kind.CATEGORY
    }
    in_one_only = sorted(coded ^ rows.keys())
    if in_one_only:
        raise DataError(
            order,
            f"of another release than the tabular list: {len(in_one_only)} codes are in only one of the"
            f" two files, e.g. {', '.join(in_one_only[:3])}",
        )
    for row, code in enumerate(table.code):
        if code in rows:
            table.billable[row] = rows[code].billable
            table.short_title[row] = rows[code].short_title
    return table


def release_name(path: Path) -> str:
    """Return the release in an official file's name.

    It is `April-2025` for `icd10cm-order-April-2025.txt.gz`.
    """
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    for mark in ("tabular-", "order-"):
        if mark in stem:
            return stem.split(mark, 1)[1]
    return stem
