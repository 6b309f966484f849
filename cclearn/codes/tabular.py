"""The tabular list of ICD-10-CM as the CDC publishes it: XML, beside the list of all valid codes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cclearn.codes.table import CodeTable, Kind
from cclearn.errors import DataError
from cclearn.runtime.parsing import read_xml

# The XML's element for each column of notes.
_NOTES = {
    "inclusionTerm": "inclusion_terms",
    "includes": "includes",
    "excludes1": "excludes1",
    "excludes2": "excludes2",
    "codeFirst": "code_first",
    "useAdditionalCode": "use_additional_code",
    "codeAlso": "code_also",
}
EXTENDED_LENGTH = 8
"""Characters of a code with a 7th character, the dot counted."""


def read_tabular(path: Path, release: str, known: Collection[str] | None = None) -> CodeTable:
    """Read a tabular list, chapters and blocks included, in its own order.

    Codes that need a 7th character are composed from the definition that stands at the code or above
    it, with the placeholder X in the places between (ICD-10-CM Official Guidelines, I.A.4, I.A.5).

    A block of a single category carries the category's name there (`B20` is both); here the block
    is spelt as a range (`B20-B20`), so that every row has a name of its own.

    Args:
        path: The XML file.
        release: The table's release.
        known: All valid codes without their dots, as the order file lists them: special rules leave
            out some of the composed ones. None takes all of them.

    Raises:
        DataError: The file is not such XML, or is cut off.
    """
    root = read_xml(path)
    chapters = root.findall("chapter")
    if not chapters:
        raise DataError(path, "no <chapter>: not the tabular list of ICD-10-CM")
    reader = _Reader(CodeTable(release=release), known, path)
    for chapter in chapters:
        reader.add(chapter, -1, Kind.CHAPTER, {})
    return reader.table


class _Reader:
    def __init__(self, table: CodeTable, known: Collection[str] | None, path: Path) -> None:
        self.table = table
        self._known = known
        self._path = path

    def add(self, node: Any, parent: int, kind: Kind, extensions: dict[str, str]) -> None:
        """Add an element and all below it; `extensions` are the 7th characters defined above."""
        name = node.get("id") if kind == Kind.BLOCK else node.findtext("name")
        title = node.findtext("desc")
        if not name or not title:
            after = self.table.code[-1] if len(self.table) else "the beginning"
            raise DataError(self._path, f"an element after {after} has no name or no desc")
        if kind <= Kind.BLOCK:
            title = _without_range(" ".join(title.split()))
            if kind == Kind.BLOCK and "-" not in name:
                name = f"{name}-{name}"
        notes = {column: _note_texts(node, tag) for tag, column in _NOTES.items()}
        extensions = _extensions(node) or extensions
        row = self.table.add(name, title, parent, kind, notes)
        below = [child for child in node if child.tag in ("section", "diag")]
        for child in below:
            self.add(child, row, Kind(min(kind + 1, Kind.SUBCATEGORY)), extensions)
        if not below and kind >= Kind.CATEGORY:
            composed = self._compose(name, extensions)
            for code, meaning in composed:
                self.table.add(
                    code, f"{title}, {meaning}", row, Kind.SUBCATEGORY, {}, billable=True
                )
            self.table.billable[row] = not composed

    def _compose(self, code: str, extensions: dict[str, str]) -> list[tuple[str, str]]:
        """Return the codes that the 7th characters make of a code, with their meanings."""
        stem = with_placeholders(code)
        return [
            (stem + character, meaning)
            for character, meaning in extensions.items()
            if self._known is None or (stem + character).replace(".", "") in self._known
        ]


def with_placeholders(code: str) -> str:
    """Fill a code up to six characters with the placeholder X: `T75.4` → `T75.4XX`."""
    head, _, tail = code.partition(".")
    return f"{head}.{tail.ljust(EXTENDED_LENGTH - 2 - len(head), 'X')}"


def _note_texts(node: Any, tag: str) -> list[str]:
    return [note.text for each in node.findall(tag) for note in each if note.text]


def _extensions(node: Any) -> dict[str, str]:
    """Return the 7th characters defined at an element; a note behind one adds to its meaning."""
    extensions: dict[str, str] = {}
    for definition in node.findall("sevenChrDef"):
        last = ""
        for entry in definition:
            text = entry.text or ""
            if entry.tag == "extension":
                last = entry.get("char", "")
                extensions[last] = text
            elif last and text:
                extensions[last] += f"/{text}"
    return extensions


def _without_range(description: str) -> str:
    """Drop the code range that chapter and block titles end with."""
    head, bracket, tail = description.rpartition(" (")
    return (
        head if bracket and tail.endswith(")") and any(c.isdigit() for c in tail) else description
    )
