"""The columns of a code system, and their cache on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.runtime.caches import read_sealed, write_sealed

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_VERSION = 3
"""Version of the columns. It is increased if they change, so that older caches are rebuilt."""


class Kind(IntEnum):
    """The level of a row in the hierarchy."""

    CHAPTER = 0
    BLOCK = 1
    CATEGORY = 2
    SUBCATEGORY = 3


NOTE_COLUMNS = (
    "inclusion_terms",
    "includes",
    "excludes1",
    "excludes2",
    "code_first",
    "use_additional_code",
    "code_also",
)
"""Columns with a list of strings for each row."""


@dataclass
class CodeTable:
    """A release of a code system as one list per column, with rows in the order of the tabular list.

    Attributes:
        release: Name of the release.
        code: Code in the official dotted form, number of a chapter, or range of a block.
        description: Official title.
        short_title: Abbreviated title of the order file, empty if there is none.
        parent: Row of the parent, -1 for a chapter.
        kind: Level in the hierarchy, a `Kind`.
        billable: Whether the code may be assigned to an encounter.
        inclusion_terms: Terms under which the code is also known.
        includes: "Includes" notes.
        excludes1: Conditions that are never coded together with the code.
        excludes2: Conditions that are not part of the code.
        code_first: Conditions that must be coded before the code.
        use_additional_code: Conditions that must be coded in addition.
        code_also: Conditions that may be coded in addition, in either order.
    """

    release: str
    code: list[str] = field(default_factory=list)
    description: list[str] = field(default_factory=list)
    short_title: list[str] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    billable: list[bool] = field(default_factory=list)
    inclusion_terms: list[Sequence[str]] = field(default_factory=list)
    includes: list[Sequence[str]] = field(default_factory=list)
    excludes1: list[Sequence[str]] = field(default_factory=list)
    excludes2: list[Sequence[str]] = field(default_factory=list)
    code_first: list[Sequence[str]] = field(default_factory=list)
    use_additional_code: list[Sequence[str]] = field(default_factory=list)
    code_also: list[Sequence[str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.code)

    def add(
        self,
        code: str,
        description: str,
        parent: int,
        kind: Kind,
        notes: Mapping[str, Sequence[str]] | None = None,
        *,
        billable: bool = False,
        short_title: str = "",
    ) -> int:
        """Add a row.

        Args:
            code: Code in the official dotted form, number of a chapter, or range of a block.
            description: Official title.
            parent: Row of the parent, -1 if there is none.
            kind: Level in the hierarchy.
            notes: Notes by column, any of `NOTE_COLUMNS`.
            billable: Whether the code may be assigned to an encounter.
            short_title: Abbreviated title.

        Returns:
            Number of the row.
        """
        self.code.append(code)
        self.description.append(" ".join(description.split()))
        self.short_title.append(short_title)
        self.parent.append(parent)
        self.kind.append(kind)
        self.billable.append(billable)
        for column in NOTE_COLUMNS:
            getattr(self, column).append((notes or {}).get(column) or ())
        return len(self.code) - 1


def save_table(table: CodeTable, path: Path, source: str) -> None:
    """Write a table to a sealed Arrow file.

    Args:
        table: Table to write.
        path: Path of the file.
        source: Identity of the source of the table. `load_table` rejects files of another source.
    """
    import pyarrow as pa

    strings = pa.list_(pa.string())
    arrow = pa.table(
        {
            "code": pa.array(table.code, pa.string()),
            "description": pa.array(table.description, pa.string()),
            "short_title": pa.array(table.short_title, pa.string()),
            "parent": pa.array(table.parent, pa.int32()),
            "kind": pa.array(table.kind, pa.int8()),
            "billable": pa.array(table.billable, pa.bool_()),
            **{name: pa.array(getattr(table, name), strings) for name in NOTE_COLUMNS},
        },
        metadata={"release": table.release},
    )
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(sink, arrow.schema, options=options) as writer:
        writer.write_table(arrow)
    write_sealed(path, sink.getvalue().to_pybytes(), _seal(source))


def load_table(path: Path, source: str) -> LazyTable | None:
    """Read a table from a sealed Arrow file.

    Args:
        path: Path of the file.
        source: Identity of the source that the table must have been made from.

    Returns:
        The table, None if the file is missing, damaged or was made from another source.
    """
    content = read_sealed(path, _seal(source))
    if content is None:
        return None
    import pyarrow as pa

    buffer = pa.py_buffer(content)
    with pa.ipc.open_file(buffer) as reader:
        return LazyTable(reader.schema, buffer)


def _seal(source: str) -> str:
    return f"{source} table {TABLE_VERSION}"


class LazyTable:
    """A cached table whose columns are decoded into Python lists when they are first used.

    Args:
        schema: Arrow schema of the table.
        buffer: Content of the Arrow file.
    """

    def __init__(self, schema: pa.Schema, buffer: pa.Buffer) -> None:
        self.release: str = schema.metadata[b"release"].decode()
        self._names = list(schema.names)
        self._buffer = buffer

    def __len__(self) -> int:
        return len(self.code)

    def __getattr__(self, name: str) -> list:  # type: ignore[type-arg]
        if name.startswith("_") or name not in self._names:
            raise AttributeError(name)
        import pyarrow as pa

        # Decompress only this column.
        options = pa.ipc.IpcReadOptions(included_fields=[self._names.index(name)])
        with pa.ipc.open_file(self._buffer, options=options) as reader:
            column = reader.read_all().column(0)
        decoded = _sparse(column) if name in NOTE_COLUMNS else column.to_pylist()
        setattr(self, name, decoded)
        return decoded


def _sparse(column: pa.ChunkedArray) -> list[list[str]]:
    """Return a column of lists, most of which are empty. Decoding each of those would take long."""
    import pyarrow.compute as pc

    rows = pc.indices_nonzero(pc.list_value_length(column))
    lists: list[list[str]] = [[]] * len(column)
    for row, values in zip(rows.to_pylist(), column.take(rows).to_pylist(), strict=True):
        lists[row] = values
    return lists
