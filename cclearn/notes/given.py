"""Notes that a program gives as Python objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cclearn.notes.columns import NoteColumns, is_missing
from cclearn.notes.contract import CodedNote, Note

_NAME = "notes"
"""Name of the notes in messages."""


def as_notes(notes: Iterable[Any], columns: NoteColumns | None = None) -> Iterator[Note]:
    """Yield notes, one for each item, without reading ahead.

    Args:
        notes: Notes, coded notes (whose codes are not read), texts, or mappings with `id` and `text`,
            such as the rows of a `datasets.Dataset`; or a column (Series) or a table (DataFrame) of
            pandas or polars. The id of a text is its label in the index of a column of pandas, and
            otherwise its number, from 1. A missing text is empty.
        columns: Names of the fields of mappings and tables. None for `id` and `text`.

    Raises:
        TypeError: `notes` is a single note, or an item is of another type.
        DataError: A mapping is not a note.
    """
    if isinstance(notes, str | bytes | Note | Mapping):
        raise TypeError(
            f"notes ({type(notes).__name__}): expected several notes. Use `code` for one, or a list."
        )
    return _each(notes, columns or NoteColumns())


def _each(notes: Iterable[Any], columns: NoteColumns) -> Iterator[Note]:
    for number, (label, item) in enumerate(_labelled(notes), start=1):
        if isinstance(item, CodedNote):
            yield item.note
        elif isinstance(item, Note):
            yield item
        elif isinstance(item, Mapping):
            yield columns.note(dict(item), _NAME, number, label)
        elif isinstance(item, str) or is_missing(item):
            text = item if isinstance(item, str) else ""
            yield Note(id=str(number) if label is None else label, text=text)
        else:
            raise TypeError(
                f"notes (item {number}): it is a {type(item).__name__}. Give notes, texts, or mappings"
                " with id and text."
            )


def _labelled(notes: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield the items of notes, with the label of each row of pandas."""
    columns = getattr(notes, "columns", None)
    if hasattr(notes, "iter_rows") and columns is not None:  # A table of polars.
        for row in notes.iter_rows(named=True):
            yield None, row
    elif hasattr(notes, "to_dict") and columns is not None:  # A table of pandas.
        has_ids = "id" in columns
        for label, row in zip(notes.index, notes.to_dict("records"), strict=True):
            yield None if has_ids else str(label), row
    elif hasattr(notes, "items") and hasattr(notes, "index"):  # A column of pandas.
        for label, item in notes.items():
            yield str(label), item
    else:
        for item in notes:
            yield None, item
