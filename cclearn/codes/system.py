"""A code system: lookup in any spelling, validity by release, hierarchy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from cclearn.codes.sources import OfficialSource, find_source
from cclearn.codes.table import CodeTable, Kind, LazyTable, load_table, save_table
from cclearn.codes.tabular import EXTENDED_LENGTH, with_placeholders
from cclearn.codes.traits import traits_of
from cclearn.errors import UnknownCodeError, did_you_mean
from cclearn.runtime.caches import cache_file
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.files import making_many_objects

Status = Literal["valid", "header", "retired", "unknown"]
"""`valid`: billable in this release · `header`: has children, cannot be billed · `retired`: billable
in an earlier release only, of those that were loaded with it · `unknown`: in no table at hand."""

NoteKind = Literal["excludes1", "excludes2", "code_first", "use_additional_code", "code_also"]
"""The instructions of the tabular list."""

NeighbourKind = Literal["sibling", "cousin", "hop1", "hop2"]
"""`sibling`: a child of the same parent · `cousin`: a child of a sibling of the parent · `hop1`,
`hop2`: a billable code that meets this one so many levels up, and no lower."""


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a release.

    Attributes:
        code: The official dotted form.
        description: The official title.
        short_title: The abbreviated one of the order file, empty where there is none.
        kind: Chapter, block, category or subcategory.
        billable: Whether the code may be assigned to an encounter.
        synonyms: Its inclusion terms.
        parent: The code above it, None for a chapter.
    """

    code: str
    description: str
    short_title: str
    kind: Kind
    billable: bool
    synonyms: tuple[str, ...]
    parent: str | None


class CodeSystem:
    """A release of a code system.

    Codes are accepted lower-case, undotted or padded with blanks, and returned in the official
    form. Validity comes from the release's table, never from a pattern.

    Attributes:
        name: Name of the code system, e.g. `icd10cm`.
        traits: What distinguishes the code system from others.
        release: E.g. `April-1-2026`.
        source: What the table was read from, with its version; caches of derived data name it.
        earlier: Earlier releases, which tell retired codes from unknown ones.
    """

    def __init__(
        self,
        name: str,
        table: CodeTable | LazyTable,
        source: str,
        earlier: Sequence[CodeSystem] = (),
    ) -> None:
        self.name = name
        self.traits = traits_of(name)
        self.source = source
        self.release = table.release
        self.earlier = tuple(earlier)
        self._table = table
        self._codes: list[str] = table.code
        self._row = {code: row for row, code in enumerate(self._codes)}

    @classmethod
    def load(
        cls,
        name: str = "icd10cm",
        release: str | Path | None = None,
        earlier: Sequence[str | Path] = (),
    ) -> CodeSystem:
        """Load a code system, from the cache when it is whole and of this version.

        Args:
            name: `icd10cm`, `icd9cm`, the name of a system with a table of the user's, or the path of
                that table, a `.csv` file (`cclearn.codes.user_table` has its columns).
            release: None for the release of ICD-10-CM that comes with the package; else the official
                files: an order file, a tabular list in XML or a folder with both, the title file of
                ICD-9-CM, or the user's table.
            earlier: The files of earlier releases, whose codes are `retired` where this one has them no
                longer.

        Raises:
            ConfigurationError: The name is not known, or needs a file.
            DataError: A file is not what it should be.
        """
        source = find_source(name, release)
        system = _load(source)
        if not earlier:
            return system
        old = [_load(find_source(source.name, each)) for each in earlier]
        return cls(system.name, system._table, system.source, old)

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
            short_title=self._table.short_title[row],
            kind=Kind(self._table.kind[row]),
            billable=self._table.billable[row],
            synonyms=tuple(self._table.inclusion_terms[row]),
            parent=self._codes[parent] if parent >= 0 else None,
        )

    def canonical(self, code: str) -> str:
        """Return the official spelling where the table holds the code, else the tidied spelling."""
        row = self._find(code)
        if row is not None:
            return self._codes[row]
        dot_after = self.traits.dot_after
        return code.strip().upper() if dot_after is None else _tidy(code, dot_after)

    def status(self, code: str) -> Status:
        """Say whether a code, in any spelling, may be assigned in this release."""
        row = self._find(code)
        if row is None:
            retired = any(release.is_billable(code) for release in self.earlier)
            return "retired" if retired else "unknown"
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

    def neighbours(self, code: str, kind: NeighbourKind = "sibling") -> list[str]:
        """Return the billable codes near a code, in tabular order. Raises UnknownCodeError.

        Args:
            code: The code.
            kind: How near. What makes a neighbour is a setting: the literature leaves it open.
        """
        if kind == "sibling":
            return [near for near in self.siblings(code) if self.is_billable(near)]
        if kind == "cousin":
            return [near for near in self.cousins(code) if self.is_billable(near)]
        above = [self.canonical(code), *self.ancestors(code)]
        up = int(kind.removeprefix("hop"))
        if len(above) <= up:
            return []
        nearer = {above[up - 1], *self.descendants(above[up - 1])}
        return [near for near in self.billable_codes(above[up]) if near not in nearer]

    def distance(self, code: str, other: str) -> int | None:
        """Return the steps up and down between two codes, None when they meet nowhere.

        Two chapters meet nowhere. Raises UnknownCodeError.
        """
        ups = [self.canonical(code), *self.ancestors(code)]
        downs = {
            each: steps
            for steps, each in enumerate([self.canonical(other), *self.ancestors(other)])
        }
        return next((up + downs[each] for up, each in enumerate(ups) if each in downs), None)

    def notes(self, code: str, kind: NoteKind, inherited: bool = True) -> list[tuple[str, str]]:
        """Return the instructions that hold for a code, each with the code where it stands.

        Args:
            code: The code.
            kind: Which of them.
            inherited: Whether those of the codes, block and chapter above count, which hold for all
                below (Official Guidelines, I.A.12, I.A.13, I.A.17).

        Raises:
            UnknownCodeError: The release does not hold the code.
        """
        column = getattr(self._table, kind)
        places = [self.canonical(code), *(self.ancestors(code) if inherited else ())]
        return [(text, place) for place in places for text in column[self._require(place)]]

    def seventh_characters(self, code: str) -> dict[str, str]:
        """Return the 7th characters that a code takes, with their meanings; empty if it takes none.

        `S72.001` → `A`: `initial encounter for closed fracture`, … Raises UnknownCodeError.
        """
        title = self.description(code)
        return {
            child[-1]: self.description(child).removeprefix(title).strip(", ")
            for child in self.children(code)
            if len(child) == EXTENDED_LENGTH and self.traits.has_seventh_characters
        }

    def extended(self, code: str, character: str) -> str:
        """Return a code with a 7th character, the places between filled with the placeholder X.

        `T75.4` with `A` is `T75.4XXA` (Official Guidelines, I.A.4, I.A.5).

        Raises:
            UnknownCodeError: The release holds no such code.
        """
        return self[with_placeholders(self[code].code) + character.upper()].code

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
            if len(code) == EXTENDED_LENGTH:  # A 7th character: initial encounter, closed fracture.
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
        if row is not None:
            return row
        bare = code.strip().upper().rstrip(".")
        row = self._bare.get(bare.replace(".", ""))
        # A dot may be left out; where there is one, it stands in its place.
        if row is None or ("." in bare and bare != self._codes[row].upper()):
            return None
        return row

    @cached_property
    def _bare(self) -> dict[str, int]:
        """The rows by their codes in capitals and without dots."""
        return {code.upper().replace(".", ""): row for code, row in reversed(self._row.items())}

    def _require(self, code: str) -> int:
        row = self._find(code)
        if row is not None:
            return row
        problem = f"code (code = {code}): not in {self.name} {self.release}"
        for old in self.earlier:
            if code in old:
                raise UnknownCodeError(f"{problem}; it was in {old.release}.")
        raise UnknownCodeError(
            f"{problem}.{did_you_mean(self.canonical(code), self._nearby(code))}"
        )

    def _nearby(self, code: str) -> list[str]:
        stem = self.canonical(code)[:2]
        return [known for known in self._codes if known.startswith(stem)]


def _tidy(code: str, dot_after: int) -> str:
    """Spell a code with upper-case letters and its dot after `dot_after` characters."""
    bare = code.strip().upper()
    if "-" in bare or len(bare) <= dot_after:
        return bare.rstrip(".")
    bare = bare.replace(".", "", 1) if bare.find(".") == dot_after else bare
    if "." in bare or len(bare) <= dot_after:
        return bare
    return f"{bare[:dot_after]}.{bare[dot_after:]}"


@lru_cache(maxsize=8)
@logged_step("load code system", __name__)
def _load(source: OfficialSource) -> CodeSystem:
    path = cache_file(source.name, source.identity, "arrow")
    table: CodeTable | LazyTable | None = load_table(path, source.identity)
    if table is None:
        with making_many_objects():
            table = source.read()
        # A read-only home only costs the time of the next load.
        with contextlib.suppress(OSError):
            save_table(table, path, source.identity)
    return CodeSystem(source.name, table, source.identity)
