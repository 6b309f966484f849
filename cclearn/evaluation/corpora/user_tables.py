"""Notes and codes in tables of the user, with columns of any name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.building import note_rows
from cclearn.evaluation.corpora.code_columns import CodeColumns
from cclearn.evaluation.corpora.tables import Row, Table, as_text, column_rows
from cclearn.notes import CodedNote

PATIENT = "patient"
"""Name of the patient's id in the metadata of a note."""


class TableOptions(CorpusOptions):
    """Options of tables.

    Attributes:
        split: Name of a split in the table of `splits` or in a folder of `datasets`; `all` for all
            notes.
        training: Name of the split in which codes are counted and from which examples are taken; None if
            there is no such split.
        text: Column of the texts.
        id: Column of the ids. None for `id`, or the number of the row if there is no such column.
        codes: Columns of the codes, which may contain `*`. A value is one code, a list of codes, or
            codes that are separated by semicolons, commas, bars or white space. Rows of one note may
            follow each other, each with another code.
        codes_file: Table of the codes, whose rows have the id of their note. None if the codes are in
            the table of the notes.
        codes_id: Column of the ids of the notes in `codes_file`. None for the column that `id` names.
        patient: Column of the patients' ids. The notes receive them as `metadata.patient`.
        where: Values that columns must have in a row of the codes, by the names of the columns, e.g.
            `{icd_version: 10}`.
        splits: Table of the ids and the splits of the notes, with a column `split`.
    """

    split: str = ALL
    training: str | None = None
    text: str = "text"
    id: str | None = None
    codes: tuple[str, ...] = Field(default=("codes",), min_length=1)
    codes_file: Path | None = None
    codes_id: str | None = None
    patient: str | None = None
    where: dict[str, str] = Field(default_factory=dict)
    splits: Path | None = None

    @field_validator("codes", mode="before")
    @classmethod
    def _one_column(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class TableCorpus(Corpus):
    """Reads a table of notes, with their codes in the same table or in another one."""

    name = "table"
    summary = "Notes and codes in tables of your own: CSV, TSV, JSONL, Parquet or datasets."
    options_type = TableOptions

    def rows(
        self, folder: Path, split: str, options: TableOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes of a split in the order of the table.

        Raises:
            DataError: A table cannot be opened, or a column is missing.
            ConfigurationError: A column tells the classification of the codes, and `where` does not
                choose one.
        """
        table = Table(folder, ALL if options.splits else split)
        columns = _NoteColumns.of(table, options)
        wanted = None
        if options.splits is not None and split != ALL:
            wanted = ids_of_split(options.splits, split, (options.id or "id", "id", "_id"))
        second = options.codes_file
        codes: dict[str, list[str]] = {}
        if second is not None:
            codes = yield from _codes_of_notes(second, options)
        found = 0
        seen: set[str] = set()
        for identifier, rows in groupby(table.rows(), columns.identifier):
            if not identifier:
                yield from map(columns.unusable, rows)
                continue
            of_note = [row for row in rows if isinstance(row, Row)]
            if wanted is not None and identifier not in wanted:
                continue
            if identifier in seen:
                problem = "the id occurs twice, and not in rows that follow each other"
                yield UnusableRow(table.path, problem, of_note[0].number, identifier)
                continue
            seen.add(identifier)
            found += identifier in codes
            yield from columns.note(of_note, identifier, codes.get(identifier, []), system)
        if second is not None:
            if seen and codes and not found:
                raise DataError(second, f"none of its ids is in {table.path.name}")
            if wanted is None:
                yield from _without_note(second, codes, seen)


@dataclass(frozen=True, slots=True)
class _NoteColumns:
    """The columns of the table of notes in the spelling of the table; None for those that it lacks."""

    table: Table
    text: str
    id: str | None
    patient: str | None
    codes: CodeColumns | None

    @classmethod
    def of(cls, table: Table, options: TableOptions) -> _NoteColumns:
        names = table.names()
        identifier = options.id or ("id" if "id" in names else None)
        codes = None
        if options.codes_file is None:
            codes = CodeColumns.of(table, options.codes, options.where)
        return cls(
            table,
            table.find(options.text, "text", names),
            table.find(identifier, "id", names) if identifier else None,
            table.find(options.patient, "patient", names) if options.patient else None,
            codes,
        )

    def identifier(self, row: Row | UnusableRow) -> str:
        """Return the id of a row; empty if it has none or cannot be read."""
        if isinstance(row, UnusableRow):
            return ""
        return str(row.number) if self.id is None else as_text(row.fields.get(self.id))

    def unusable(self, row: Row | UnusableRow) -> UnusableRow:
        """Return a row without an id as one that cannot be used."""
        if isinstance(row, UnusableRow):
            return row
        return UnusableRow(self.table.path, "the note has no id", row.number)

    def note(
        self, rows: list[Row], identifier: str, codes: list[str], system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Yield the note of rows with the same id.

        Args:
            rows: The rows, at least one.
            identifier: The id.
            codes: Codes of the note in the second table.
            system: The code system.
        """
        path, number = self.table.path, rows[0].number
        text = rows[0].fields.get(self.text)
        if not isinstance(text, str) or not text.strip():
            yield UnusableRow(path, "the note has no text", number, identifier)
            return
        found = list(codes)
        for row in rows:
            if row.fields.get(self.text) != text:
                problem = "the text differs from that of the id's first row"
                yield UnusableRow(path, problem, row.number, identifier)
                continue
            for code in self.codes.codes(row, identifier) if self.codes else ():
                if isinstance(code, UnusableRow):
                    yield code
                else:
                    found.append(code)
        metadata: dict[str, Any] = {}
        if self.patient is not None:
            metadata[PATIENT] = as_text(rows[0].fields.get(self.patient))
        annotations = [(code, None, None) for code in found]
        yield from note_rows(
            path, identifier, text, annotations, system, line=number, metadata=metadata
        )


def ids_of_split(path: Path, split: str, names: Collection[str]) -> set[str]:
    """Return the ids of a split in a table with a column `split`.

    Args:
        path: Path of the table.
        split: Name of the split.
        names: Possible names of the column of ids, the most probable one first.

    Raises:
        DataError: The table cannot be read, or has no such split.
    """
    known = {name.lower() for name in Table(path).names()}
    column = next((name for name in names if name.lower() in known), next(iter(names)))
    found: dict[str, set[str]] = defaultdict(set)
    for row in column_rows(path, (column, "split")):
        if isinstance(row, UnusableRow):
            raise row
        identifier, name = map(str.strip, row[1])
        found[name].add(identifier)
    if split not in found:
        raise DataError(path, f"no split {split!r}; there are: {', '.join(sorted(found)[:10])}")
    return found[split]


def _codes_of_notes(
    path: Path, options: TableOptions
) -> Generator[UnusableRow, None, dict[str, list[str]]]:
    """Yield the rows of the second table that cannot be used. Return the codes of each note."""
    table = Table(path)
    columns = CodeColumns.of(table, options.codes, options.where)
    identifier = table.find(options.codes_id or options.id or "id", "codes_id", table.names())
    found: dict[str, list[str]] = defaultdict(list)
    for row in table.rows():
        if isinstance(row, UnusableRow):
            yield row
        elif note := as_text(row.fields.get(identifier)):
            for code in columns.codes(row, note):
                if isinstance(code, UnusableRow):
                    yield code
                else:
                    found[note].append(code)
        else:
            yield UnusableRow(path, "the code has no id of a note", row.number)
    return found


def _without_note(
    path: Path, codes: Mapping[str, Sequence[str]], notes: Collection[str]
) -> Iterator[UnusableRow]:
    """Yield the codes of notes that are not there."""
    for identifier, of_note in codes.items():
        if identifier not in notes:
            for code in of_note:
                yield UnusableRow(path, "there is no note of this id", None, identifier, code)
