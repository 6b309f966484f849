"""Reading the tabular list of ICD-10-CM, which the CDC publishes as XML."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cclearn.codes.table import CodeTable, Kind
from cclearn.errors import DataError
from cclearn.runtime.parsing import read_xml

# Column of notes for each XML element.
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
"""Length of a code with a 7th character, including the dot."""


def read_tabular(path: Path, release: str, valid_codes: Collection[str] | None = None) -> CodeTable:
    """Read a tabular list with its chapters and blocks, in order.

    Codes that need a 7th character are composed from the definition at the code or above it, with the
    placeholder X in between (ICD-10-CM Official Guidelines, I.A.4, I.A.5).

    In the file, a block with a single category has the name of the category (`B20` is both). Here such
    a block is named as a range (`B20-B20`), so that every row has a unique name.

    Args:
        path: Path of the XML file.
        release: Name of the release.
        valid_codes: All valid codes without their dots. Composed codes that are not among them are
            left out. None includes all composed codes.

    Raises:
        DataError: The file is not the XML of a tabular list, or is truncated.
    """
    root = read_xml(path)
    chapters = root.findall("chapter")
    if not chapters:
        raise DataError(path, "no <chapter>: not the tabular list of ICD-10-CM")
    reader = _Reader(CodeTable(release=release), valid_codes, path)
    for chapter in chapters:
        reader.add(chapter, -1, Kind.CHAPTER, {})
    return reader.table


class _Reader:
    def __init__(self, table: CodeTable, valid_codes: Collection[str] | None, path: Path) -> None:
        self.table = table
        self._valid_codes = valid_codes
        self._path = path

    def add(self, node: Any, parent: int, kind: Kind, extensions: dict[str, str]) -> None:
        """Add an element and all elements below it.

        Args:
            node: XML element.
            parent: Row of the parent.
            kind: Level in the hierarchy.
            extensions: 7th characters that are defined above the element, with their meanings.
        """
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
        """Return the codes that consist of a code and a 7th character, with the characters' meanings."""
        stem = with_placeholders(code)
        return [
            (stem + character, meaning)
            for character, meaning in extensions.items()
            if self._valid_codes is None or (stem + character).replace(".", "") in self._valid_codes
        ]


def with_placeholders(code: str) -> str:
    """Return a code filled up to six characters with the placeholder X: `T75.4XX` for `T75.4`."""
    head, _, tail = code.partition(".")
    return f"{head}.{tail.ljust(EXTENDED_LENGTH - 2 - len(head), 'X')}"


def _note_texts(node: Any, tag: str) -> list[str]:
    return [note.text for group in node.findall(tag) for note in group if note.text]


def _extensions(node: Any) -> dict[str, str]:
    """Return the 7th characters that an element defines; a note after one extends its meaning."""
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
    """Remove the range of codes at the end of the title of a chapter or a block."""
    head, bracket, tail = description.rpartition(" (")
    return (
        head if bracket and tail.endswith(")") and any(c.isdigit() for c in tail) else description
    )
