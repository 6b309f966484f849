"""Reading of the indexes and tables of ICD-10-CM, which the CDC publishes as XML.

The alphabetic index, the external-cause index, the neoplasm table and the drug table have one schema:
`letter > mainTerm > term[level]`, a title with nonessential modifiers (`nemod`), a code or cells of
codes, `see` and `seeAlso`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cclearn.errors import DataError
from cclearn.runtime.parsing import read_xml

_MODIFIER = re.compile(r"\(([^()]+)\)")
_NOT_ELSEWHERE = re.compile(r",? (?:NEC|NOS)\b")


@dataclass(frozen=True, slots=True)
class Title:
    """One term of a path.

    Attributes:
        text: The term without modifiers, `NEC` and `NOS`.
        modifiers: Nonessential modifiers, which are words that do not change the code.
    """

    text: str
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A term and its ancestors.

    Attributes:
        path: Terms from the main term to the term itself.
        code: Code of an entry of an index, or None.
        cells: Codes of a row of a table by column, without empty cells.
        see: Term that must be looked up instead, or None.
        see_also: Term that may be looked up too, or None.
        columns: Number of cells of a row of a table, including empty ones.
    """

    path: tuple[Title, ...]
    code: str | None = None
    cells: dict[int, str] = field(default_factory=dict)
    see: str | None = None
    see_also: str | None = None
    columns: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """An index or a table.

    Attributes:
        heads: Headings of the columns of codes of a table. An index has none.
        entries: All terms in the order of the file.
    """

    heads: dict[int, str]
    entries: list[Entry]


def read_index(path: Path) -> Index:
    """Read an index or a table.

    Raises:
        DataError: The file is not XML of this schema, or is incomplete.
    """
    root = read_xml(path)
    if root.tag != "ICD10CM.index" or root.find("letter") is None:
        raise DataError(path, "not an index or a table of ICD-10-CM: no <letter>")
    heads = {_column(head, path): " ".join((head.text or "").split()) for head in root.iter("head")}
    heads.pop(1, None)  # The heading of the terms.
    entries = [
        entry
        for letter in root.findall("letter")
        for term in letter.findall("mainTerm")
        for entry in _entries(term, (), path)
    ]
    lost = {column for entry in entries for column in entry.cells} - heads.keys()
    if lost:
        raise DataError(path, f"column {min(lost)} has codes and no heading")
    return Index(heads, entries)


def _entries(node: Any, ancestors: tuple[Title, ...], path: Path) -> Iterator[Entry]:
    title = node.find("title")
    if title is None:
        parent = " > ".join(term.text for term in ancestors) or "a letter"
        raise DataError(path, f"a term below {parent} has no title")
    terms = (*ancestors, _title(title))
    cells = node.findall("cell")
    codes = {
        _column(cell, path): cell.text.strip()
        for cell in cells
        if cell.text and cell.text.strip("- \n")
    }
    yield Entry(
        terms, _text(node, "code"), codes, _text(node, "see"), _text(node, "seeAlso"), len(cells)
    )
    for term in node.findall("term"):
        yield from _entries(term, terms, path)


def _column(node: Any, path: Path) -> int:
    number = node.get("col", "")
    if not re.fullmatch("[0-9]{1,3}", number):
        raise DataError(path, f"a <{node.tag}> has no column number")
    return int(number)


def _text(node: Any, tag: str) -> str | None:
    text = node.findtext(tag)
    return text.strip() if text and text.strip() else None


def _title(node: Any) -> Title:
    modifier_text = "".join(child.text or "" for child in node.findall("nemod"))
    own = (node.text or "") + "".join(child.tail or "" for child in node)
    parts = (plain_term(part) for part in _MODIFIER.findall(modifier_text))
    # "(s)" is a plural, and "(any)" has no meaning of its own.
    modifiers = tuple(p for p in parts if p and p not in ("s", "es") and p.split()[0] != "any")
    return Title(plain_term(own), modifiers)


def plain_term(text: str) -> str:
    """Return a term without `NEC`, `NOS` and parentheses. `specified NEC` becomes `other specified`."""
    words = " ".join(_MODIFIER.sub("", text).split())
    plain = _NOT_ELSEWHERE.sub("", words).strip(" ,")
    other = plain != words and "NEC" in words and plain.startswith("specified")
    return f"other {plain}" if other else plain
