"""The indexes and tables of ICD-10-CM as the CDC publishes them: terms below terms, with codes.

One schema serves the alphabetic index, the external-cause index, the neoplasm table and the drug table:
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
        text: The term, without modifiers, `NEC` and `NOS`.
        modifiers: The nonessential modifiers: words that may be there and change no code.
    """

    text: str
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A term with all the terms above it.

    Attributes:
        path: The main term first.
        code: Of an index, the code.
        cells: Of a table, the codes by column; columns that hold none are left out.
        see: The term to look under instead.
        see_also: The term to look under besides.
        columns: Of a table, how many cells the row has, empty ones too.
    """

    path: tuple[Title, ...]
    code: str | None = None
    cells: dict[int, str] = field(default_factory=dict)
    see: str | None = None
    see_also: str | None = None
    columns: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """An index, or a table.

    Attributes:
        heads: Of a table, the headings of its columns of codes.
        entries: Every term, in order.
    """

    heads: dict[int, str]
    entries: list[Entry]


def read_index(path: Path) -> Index:
    """Read an index or a table.

    Raises:
        DataError: The file is not such XML, or is cut off.
    """
    root = read_xml(path)
    if root.tag != "ICD10CM.index" or root.find("letter") is None:
        raise DataError(path, "not an index or a table of ICD-10-CM: no <letter>")
    heads = {_column(head, path): " ".join((head.text or "").split()) for head in root.iter("head")}
    heads.pop(1, None)  # That of the terms themselves.
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


def _entries(node: Any, above: tuple[Title, ...], path: Path) -> Iterator[Entry]:
    title = node.find("title")
    if title is None:
        place = " > ".join(each.text for each in above) or "a letter"
        raise DataError(path, f"a term below {place} has no title")
    terms = (*above, _title(title))
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
        raise DataError(path, f"a <{node.tag}> has no number of a column")
    return int(number)


def _text(node: Any, tag: str) -> str | None:
    text = node.findtext(tag)
    return text.strip() if text and text.strip() else None


def _title(node: Any) -> Title:
    modifiers = "".join(child.text or "" for child in node.findall("nemod"))
    own = (node.text or "") + "".join(child.tail or "" for child in node)
    parts = (plain_term(part) for part in _MODIFIER.findall(modifiers))
    # "(s)" makes a plural, "(any)" says that nothing more is meant.
    said = tuple(p for p in parts if p and p not in ("s", "es") and p.split()[0] != "any")
    return Title(plain_term(own), said)


def plain_term(text: str) -> str:
    """Return a term without `NEC`, `NOS` and parentheses; `specified NEC` is `other specified`."""
    words = " ".join(_MODIFIER.sub("", text).split())
    plain = _NOT_ELSEWHERE.sub("", words).strip(" ,")
    other = plain != words and "NEC" in words and plain.startswith("specified")
    return f"other {plain}" if other else plain
