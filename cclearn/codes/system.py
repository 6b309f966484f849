"""A code system: lookup in any spelling, validity by release, hierarchy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from cclearn.codes import icd10cm
from cclearn.codes.table import CodeTable, Kind, LazyTable, load_table, save_table
from cclearn.errors import ConfigurationError, UnknownCodeError, did_you_mean
from cclearn.files import cache_folder, making_many_objects

Status = Literal["valid", "header", "retired", "unknown"]
"""`valid`: billable in this release · `header`: has children, cannot be billed · `retired`: billable
in an earlier release only (needs that release's table) · `unknown`: in no table at hand."""

_READERS = {"icd10cm": (icd10cm.source, icd10cm.read_icd10cm)}


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a release.

    Attributes:
        code: The official dotted form.
        description: The official title.
        kind: Chapter, block, category or subcategory.
        billable: Whether the code may be assigned to an encounter.
        synonyms: Its inclusion terms.
        parent: The code above it, None for a chapter.
    """

    code: str
    description: str
    kind: Kind
    billable: bool
    synonyms: tuple[str, ...]
    parent: str | None


class CodeSystem:
    """A release of a code system.

    Codes are accepted lower-case, undotted or padded with blanks, and returned in the official
    dotted form. Validity comes from the release's table, never from a pattern.

    Attributes:
        name: E.g. `icd10cm`.
        release: E.g. `April-1-2026`.
        source: What the table was read from, with its version; caches of derived data name it.
    """

    def __init__(self, name: str, table: CodeTable | LazyTable, source: str) -> None:
        self.name = name
        self.source = source
        self.release = table.release
        self._table = table
        self._codes: list[str] = table.code
        self._row = {code: row for row, code in enumerate(self._codes)}

    @classmethod
    def load(cls, name: str = "icd10cm") -> CodeSystem:
        """Load a code system, from the cache when it is whole and of this version.

        Args:
            name: The code system; `icd10cm` comes with the package.

        Raises:
            ConfigurationError: The name is not known.
        """
        if name not in _READERS:
            known = ", ".join(sorted(_READERS))
            raise ConfigurationError(
                [
                    f"code system (name = {name}): not known.{did_you_mean(name, _READERS)}"
                    f" Use one of: {known}."
                ]
            )
        return _load(name)

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and self._find(code) is not None

    def __getitem__(self, code: str) -> Code:
        row = self._require(code)
        parent = self._table.parent[row]
        return Code(
            code=self._codes[row],
            description=self._table.description[row],
            kind=Kind(self._table.kind[row]),
            billable=self._table.billable[row],
            synonyms=tuple(self._table.inclusion_terms[row]),
            parent=self._codes[parent] if parent >= 0 else None,
        )

    def canonical(self, code: str) -> str:
        """Return the official spelling where the table holds the code, else the tidied spelling."""
        row = self._find(code)
        return self._codes[row] if row is not None else _tidy(code)

    def status(self, code: str) -> Status:
        """Say whether a code, in any spelling, may be assigned in this release."""
        row = self._find(code)
        if row is None:
            return "unknown"
        return "valid" if self._table.billable[row] else "header"

    def is_billable(self, code: str) -> bool:
        """Say whether a code, in any spelling, is billable in this release."""
        return self.status(code) == "valid"

    def description(self, code: str) -> str:
        """Return the official title. Raises UnknownCodeError."""
        return str(self._table.description[self._require(code)])

    def synonyms(self, code: str) -> tuple[str, ...]:
        """Return the inclusion terms of a code. Raises UnknownCodeError."""
        return tuple(self._table.inclusion_terms[self._require(code)])

    def includes(self, code: str) -> tuple[str, ...]:
        """Return the "Includes" notes of a code. Raises UnknownCodeError."""
        return tuple(self._table.includes[self._require(code)])

    def parent(self, code: str) -> str | None:
        """Return the code above, None for a chapter. Raises UnknownCodeError."""
        row = self._table.parent[self._require(code)]
        return self._codes[row] if row >= 0 else None

    def children(self, code: str) -> list[str]:
        """Return the codes one level below, in tabular order. Raises UnknownCodeError."""
        return [self._codes[row] for row in self._children[self._require(code)]]

    def siblings(self, code: str) -> list[str]:
        """Return the other children of the parent. Raises UnknownCodeError."""
        row = self._require(code)
        parent = self._table.parent[row]
        return [self._codes[other] for other in self._children[parent] if other != row]

    def cousins(self, code: str) -> list[str]:
        """Return the children of the parent's siblings. Raises UnknownCodeError."""
        parent = self._table.parent[self._require(code)]
        if parent < 0:
            return []
        return [
            self._codes[row]
            for aunt in self._children[self._table.parent[parent]]
            if aunt != parent
            for row in self._children[aunt]
        ]

    def ancestors(self, code: str) -> list[str]:
        """Return all codes above, the nearest first. Raises UnknownCodeError."""
        found = []
        row = self._table.parent[self._require(code)]
        while row >= 0:
            found.append(self._codes[row])
            row = self._table.parent[row]
        return found

    def chapter(self, code: str) -> str:
        """Return the chapter (`1` to `22`) of a code. Raises UnknownCodeError."""
        return ([*reversed(self.ancestors(code))] or [self._codes[self._require(code)]])[0]

    def billable_codes(self, under: str | None = None) -> list[str]:
        """Return the billable codes in tabular order.

        Args:
            under: Only those below this chapter, block or header. Raises UnknownCodeError.
        """
        if under is None:
            return [c for c, ok in zip(self._codes, self._table.billable, strict=True) if ok]
        return [code for code in self.descendants(under) if self.is_billable(code)]

    def descendants(self, code: str) -> list[str]:
        """Return all codes below, in tabular order. Raises UnknownCodeError."""
        return [self._codes[row] for row in self._below(self._require(code))]

    def rows(self) -> Iterator[Code]:
        """Yield every code of the release in tabular order."""
        return (self[code] for code in self._codes)

    def unspecified(self, code: str) -> str | None:
        """Return the billable code that a header's words alone stand for, None when none fits.

        A billable code stands for itself. Below a header the walk takes, level by level, the only
        child, else the child whose title says "unspecified", else the one whose last character is
        the classification's usual residual `9`, and at the end the initial encounter.
        """
        row: int | None = self._require(code)
        while row is not None and not self._table.billable[row]:
            row = self._unspecified_child(row)
        return None if row is None else self._codes[row]

    def _unspecified_child(self, row: int) -> int | None:
        children = self._children[row]
        if self._table.kind[row] < Kind.CATEGORY or not children:
            return None
        if len(children) == 1:
            return children[0]
        parent_title = self._table.description[row].lower()

        def rank(child: int) -> tuple[int, int, int]:
            title = self._table.description[child].lower()
            code = self._codes[child]
            said = title.count("unspecified") - parent_title.count("unspecified")
            if "with unspecified" in title:  # Something more is said than the header says.
                said = -1
            if len(code) == 8:  # A 7th character: initial encounter, closed fracture.
                return (int("initial encounter" in title), int(code.endswith("A")), 0)
            return (said, int(code[-1] == "9"), int(code[-1] == "0"))

        best = max(children, key=rank)
        return best if any(rank(best)) and rank(best)[0] >= 0 else None

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {row: [] for row in range(-1, len(self._codes))}
        for row, parent in enumerate(self._table.parent):
            children[parent].append(row)
        return children

    def _below(self, row: int) -> Iterator[int]:
        for child in self._children[row]:
            yield child
            yield from self._below(child)

    def _find(self, code: str) -> int | None:
        row = self._row.get(code)
        return row if row is not None else self._row.get(_tidy(code))

    def _require(self, code: str) -> int:
        row = self._find(code)
        if row is None:
            raise UnknownCodeError(
                f"code (code = {code}): not in {self.name} {self.release}."
                f"{did_you_mean(_tidy(code), self._nearby(code))}"
            )
        return row

    def _nearby(self, code: str) -> list[str]:
        stem = _tidy(code)[:2]
        return [known for known in self._codes if known.startswith(stem)]


def _tidy(code: str) -> str:
    """Spell a code with upper-case letters and its dot after the third character."""
    bare = code.strip().upper()
    if "-" in bare or len(bare) <= 3:
        return bare.rstrip(".")
    bare = bare.replace(".", "", 1) if bare.find(".") == 3 else bare
    return f"{bare[:3]}.{bare[3:]}" if "." not in bare and len(bare) > 3 else bare


@lru_cache(maxsize=4)
def _load(name: str) -> CodeSystem:
    source, read = _READERS[name]
    path = cache_folder() / f"{name}.arrow"
    table: CodeTable | LazyTable | None = load_table(path, source())
    if table is None:
        with making_many_objects():
            table = read()
        # A read-only home only costs the time of the next load.
        with contextlib.suppress(OSError):
            save_table(table, path, source())
    return CodeSystem(name, table, source())
