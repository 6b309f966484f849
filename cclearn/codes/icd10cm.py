"""ICD-10-CM as the package simple-icd-10-cm carries it (tabular list of the CDC, public domain)."""

from __future__ import annotations

import warnings
from importlib.metadata import version

from cclearn.codes.table import CodeTable, Kind

PACKAGE = "simple-icd-10-cm"


def source() -> str:
    """Name the package and its version, to which the cached table is bound."""
    return f"{PACKAGE}=={version(PACKAGE)}"


def read_icd10cm() -> CodeTable:
    """Read the whole tabular list, chapters and blocks included, in its own order.

    A block of a single category carries the category's name there (`B20` is both); here the block
    is spelt as a range (`B20-B20`), so that every row has a name of its own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simple_icd_10_cm as package

    table = CodeTable(release=_release())

    def add(name: str, parent: int, kind: Kind) -> None:
        block = kind <= Kind.BLOCK
        children = package.get_children(name, prioritize_blocks=block)
        row = len(table)
        spelling = f"{name}-{name}" if kind == Kind.BLOCK and "-" not in name else name
        table.code.append(spelling)
        description = " ".join(package.get_description(name, prioritize_blocks=block).split())
        table.description.append(_without_range(description) if block else description)
        table.parent.append(parent)
        table.kind.append(kind)
        table.billable.append(kind >= Kind.CATEGORY and not children)
        table.inclusion_terms.append(package.get_inclusion_term(name, prioritize_blocks=block))
        table.includes.append(package.get_includes(name, prioritize_blocks=block))
        below = Kind(min(kind + 1, Kind.SUBCATEGORY))
        for child in children:
            add(child, row, below)

    for code in package.get_all_codes():
        if package.is_chapter(code):
            add(code, -1, Kind.CHAPTER)
    return table


def _release() -> str:
    """Return the release that the package names in its data file, e.g. `April-1-2026`."""
    from importlib.resources import files

    for entry in files("simple_icd_10_cm").joinpath("data").iterdir():
        if entry.name.endswith(".xml"):
            return entry.name.removesuffix(".xml").split("tabular-", 1)[-1]
    return version(PACKAGE)


def _without_range(description: str) -> str:
    """Drop the code range that chapter and block titles end with."""
    head, bracket, tail = description.rpartition(" (")
    return (
        head if bracket and tail.endswith(")") and any(c.isdigit() for c in tail) else description
    )
