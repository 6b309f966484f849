"""The codes of a release: lookup in any spelling, validity, hierarchy, notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from cclearn.codes.code_types import Code, NeighbourKind, NoteKind, Status
from cclearn.codes.table import CodeTable, Kind, LazyTable
from cclearn.codes.tabular import EXTENDED_LENGTH, with_placeholders
from cclearn.codes.traits import traits_of
from cclearn.errors import UnknownCodeError, did_you_mean


class CodeHierarchy(Mapping[str, Code]):
    """The codes of a release, a read-only mapping from its codes, headers included.

    `CodeSystem` adds how a release is loaded and searched.

    Codes are accepted in lower case, without their dots or with surrounding blanks, and are returned
    in the official form. Validity comes from the release's table, never from a pattern.

    Attributes:
        name: Name of the code system, e.g. `icd10cm`.
        traits: Properties of the code system that do not depend on the release.
        release: Name of the release, e.g. `April-1-2026`.
        source: Names of the files that the table was read from, with versions or hashes. Caches of
            derived data are bound to it.
        earlier: Earlier releases, which distinguish retired codes from unknown ones.
    """

    def __init__(
        self,
        name: str,
        table: CodeTable | LazyTable,
        source: str,
        earlier: Sequence[CodeHierarchy] = (),
    ) -> None:
        self.name = name
        self.traits = traits_of(name)
        self.source = source
        self.release = table.release
        self.earlier = tuple(earlier)
        self._table = table
        self._codes: list[str] = table.code
        self._row = {code: row for row, code in enumerate(self._codes)}

    def __len__(self) -> int:
        return len(self._codes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    # A release is compared by identity: comparing all of its codes would take seconds.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

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
        """Return the official spelling of a code, or a tidied one if the release does not contain it."""
        row = self._find(code)
        if row is not None:
            return self._codes[row]
        dot_after = self.traits.dot_after
        return code.strip().upper() if dot_after is None else _tidy(code, dot_after)

    def status(self, code: str) -> Status:
        """Return the validity of a code in this release."""
        row = self._find(code)
        if row is None:
            retired = any(release.is_billable(code) for release in self.earlier)
            return "retired" if retired else "unknown"
        return "valid" if self._table.billable[row] else "header"

    def is_billable(self, code: str) -> bool:
        """Return whether a code is billable in this release."""
        return self.status(code) == "valid"

    def description(self, code: str) -> str:
        """Return the official title of a code. Raises UnknownCodeError."""
        return str(self._table.description[self._require(code)])

    def short_title(self, code: str) -> str:
        """Return the short title of a code, empty if there is none. Raises UnknownCodeError."""
        return str(self._table.short_title[self._require(code)])

    def synonyms(self, code: str) -> tuple[str, ...]:
        """Return the inclusion terms of a code. Raises UnknownCodeError."""
        return tuple(self._table.inclusion_terms[self._require(code)])

    def includes(self, code: str) -> tuple[str, ...]:
        """Return the "Includes" notes of a code. Raises UnknownCodeError."""
        return tuple(self._table.includes[self._require(code)])

    def parent(self, code: str) -> str | None:
        """Return the parent of a code, None for a chapter. Raises UnknownCodeError."""
        row = self._table.parent[self._require(code)]
        return self._codes[row] if row >= 0 else None

    def children(self, code: str) -> list[str]:
        """Return the children of a code in tabular order. Raises UnknownCodeError."""
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
        """Return the billable codes near a code, in tabular order.

        Args:
            code: Code in any spelling.
            kind: Kind of the neighbours. The literature does not define neighbours uniformly.

        Raises:
            UnknownCodeError: The release does not contain the code.
        """
        if kind == "sibling":
            return [near for near in self.siblings(code) if self.is_billable(near)]
        if kind == "cousin":
            return [near for near in self.cousins(code) if self.is_billable(near)]
        lineage = [self.canonical(code), *self.ancestors(code)]
        levels = int(kind.removeprefix("hop"))
        if len(lineage) <= levels:
            return []
        nearer = {lineage[levels - 1], *self.descendants(lineage[levels - 1])}
        return [near for near in self.billable_codes(lineage[levels]) if near not in nearer]

    def distance(self, code: str, other: str) -> int | None:
        """Return the number of steps between two codes in the hierarchy, None if they share no chapter.

        Raises:
            UnknownCodeError: The release does not contain one of the codes.
        """
        lineage = [self.canonical(code), *self.ancestors(code)]
        steps_down = {
            member: steps
            for steps, member in enumerate([self.canonical(other), *self.ancestors(other)])
        }
        return next(
            (up + steps_down[member] for up, member in enumerate(lineage) if member in steps_down),
            None,
        )

    def notes(self, code: str, kind: NoteKind, inherited: bool = True) -> list[tuple[str, str]]:
        """Return the notes that apply to a code, each with the code, block or chapter it belongs to.

        Args:
            code: Code in any spelling.
            kind: Kind of the notes.
            inherited: Whether to include the notes of the codes, block and chapter above, which apply
                to all codes below (Official Guidelines, I.A.12, I.A.13, I.A.17).

        Raises:
            UnknownCodeError: The release does not contain the code.
        """
        column = getattr(self._table, kind)
        lineage = [self.canonical(code), *(self.ancestors(code) if inherited else ())]
        return [(text, member) for member in lineage for text in column[self._require(member)]]

    def seventh_characters(self, code: str) -> dict[str, str]:
        """Return the 7th characters that a code takes, with their meanings, empty if it takes none.

        For `S72.001`, `A` means `initial encounter for closed fracture`.

        Raises:
            UnknownCodeError: The release does not contain the code.
        """
        title = self.description(code)
        return {
            child[-1]: self.description(child).removeprefix(title).strip(", ")
            for child in self.children(code)
            if len(child) == EXTENDED_LENGTH and self.traits.has_seventh_characters
        }

    def extended(self, code: str, character: str) -> str:
        """Return a code with a 7th character, filled up with the placeholder X.

        `T75.4` with `A` is `T75.4XXA` (Official Guidelines, I.A.4, I.A.5).

        Raises:
            UnknownCodeError: The release contains no such code.
        """
        plain = self._codes[self._require(code)]
        return self._codes[self._require(with_placeholders(plain) + character.upper())]

    def ancestors(self, code: str) -> list[str]:
        """Return all codes above a code, the nearest first. Raises UnknownCodeError."""
        found = []
        row = self._table.parent[self._require(code)]
        while row >= 0:
            found.append(self._codes[row])
            row = self._table.parent[row]
        return found

    def chapter(self, code: str) -> str:
        """Return the chapter of a code, e.g. `9`. Raises UnknownCodeError."""
        row = self._require(code)
        while self._table.parent[row] >= 0:
            row = self._table.parent[row]
        return self._codes[row]

    def billable_codes(self, under: str | None = None) -> list[str]:
        """Return the billable codes in tabular order.

        Args:
            under: Chapter, block or header whose codes are returned, None for all codes.

        Raises:
            UnknownCodeError: The release does not contain `under`.
        """
        if under is None:
            return [c for c, ok in zip(self._codes, self._table.billable, strict=True) if ok]
        return [code for code in self.descendants(under) if self.is_billable(code)]

    def descendants(self, code: str) -> list[str]:
        """Return all codes below a code, in tabular order. Raises UnknownCodeError."""
        return [self._codes[row] for row in self._below(self._require(code))]

    def rows(self) -> Iterator[Code]:
        """Yield every code of the release in tabular order."""
        return (self[code] for code in self._codes)

    def unspecified(self, code: str) -> str | None:
        """Return the billable code that the title of a header stands for if nothing more is known.

        A billable code stands for itself. Below a header, the search chooses at each level the only
        child, otherwise the child whose title contains "unspecified", otherwise the child whose last
        character is `9`, which the classification usually reserves for unspecified conditions, and
        among 7th characters the initial encounter.

        Returns:
            The billable code, None if no child fits.

        Raises:
            UnknownCodeError: The release does not contain the code.
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
            added = title.count("unspecified") - parent_title.count("unspecified")
            if "with unspecified" in title:  # The title adds a condition to the header.
                added = -1
            if (
                len(code) == EXTENDED_LENGTH
            ):  # The child has a 7th character: prefer the initial encounter for a closed fracture.
                return (int("initial encounter" in title), int(code.endswith("A")), 0)
            return (added, int(code[-1] == "9"), int(code[-1] == "0"))

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
        # A dot may be left out, but must not be in another position.
        if row is None or ("." in bare and bare != self._codes[row].upper()):
            return None
        return row

    @cached_property
    def _bare(self) -> dict[str, int]:
        """Rows by their codes in upper case without dots."""
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
    """Return a code in upper case with its dot after `dot_after` characters."""
    bare = code.strip().upper()
    if "-" in bare or len(bare) <= dot_after:
        return bare.rstrip(".")
    bare = bare.replace(".", "", 1) if bare.find(".") == dot_after else bare
    if "." in bare or len(bare) <= dot_after:
        return bare
    return f"{bare[:dot_after]}.{bare[dot_after:]}"
