"""Which fields of a row of the user's are the text and the id of a note."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from cclearn.errors import DataError
from cclearn.notes.contract import CodedNote, Note
from cclearn.notes.fhir_documents import document_fields, is_resource
from cclearn.notes.jsonl import parse_row

_LONGEST_NAME = 30
"""Maximum number of characters of a name of a field in a message."""

_OF_NOTES = frozenset({"schema_version", *CodedNote.model_fields})
"""Fields of notes and of coded notes. The codes of a coded note are not read."""


@dataclass(frozen=True, slots=True)
class NoteColumns:
    """How rows become notes.

    Attributes:
        text: Name of the field with the text. None for `text`.
        id: Name of the field with the id, a string or an integer. None for `id`. Rows of a table without
            this column have their line or row number as the id.
        keep: Whether other fields are kept, as `metadata` of the note. They are ignored otherwise.
    """

    text: str | None = None
    id: str | None = None
    keep: bool = False

    def ignored(self, names: Iterable[str]) -> list[str]:
        """Return the names of fields that are not read."""
        return [] if self.keep else self._others(names)

    def problems(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return the columns that a table with these names lacks, each with the problem."""
        found = []
        if self._text not in names:
            found.append((self._text, self._missing(names, "text", "--text-column")))
        if self.id is not None and self.id not in names:
            found.append((self.id, self._missing(names, "id", "--id-column")))
        return found

    def note(self, fields: Any, name: object, number: int, row_id: str | None = None) -> Note:
        """Return the note of a row, which may be a `DocumentReference` of FHIR.

        Args:
            fields: Value of the row. It must be a mapping.
            name: Name of the file in messages.
            number: Number of the line or the row, from 1.
            row_id: Id of a row of a table without a column of ids. None if every row must have an id.

        Raises:
            DataError: The row is not a note. The message has no text of the row.
        """
        if not isinstance(fields, dict):
            raise DataError(name, "not a JSON object", number)
        if is_resource(fields) and self._text not in fields:
            fields = {**document_fields(fields, name, number), "origin": None}
        if self._text not in fields:
            problem = self._missing(list(fields), "text", "--text-column")
            raise DataError(name, problem, number, self._text)
        identifier = self.identifier(fields, row_id)
        if identifier is None:
            problem = self._missing(list(fields), "id", "--id-column")
            raise DataError(name, problem, number, self._id)
        text = fields[self._text]
        given = {key: fields.get(key) for key in ("schema_version", "origin")}
        row: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        row |= {"id": identifier, "text": "" if is_missing(text) else text}
        if self.keep:
            others = {key: _json_value(fields[key]) for key in self._others(fields)}
            kept = fields.get("metadata")
            row["metadata"] = {**(kept if isinstance(kept, dict) else {}), **others}
        return parse_row(row, Note, name, number)

    def identifier(self, fields: Any, row_id: str | None = None) -> Any:
        """Return the id of a row, with an integer as a string. None if it has none.

        Args:
            fields: Value of the row.
            row_id: Id of a row of a table without a column of ids.
        """
        found = fields.get(self._id, row_id) if isinstance(fields, dict) else None
        is_integer = isinstance(found, Integral) and not isinstance(found, bool)
        return str(found) if is_integer else found

    @property
    def _text(self) -> str:
        return "text" if self.text is None else self.text

    @property
    def _id(self) -> str:
        return "id" if self.id is None else self.id

    def _others(self, names: Iterable[str]) -> list[str]:
        read = {self._text, self._id, *(_OF_NOTES - {"text", "id"})}
        return [name for name in names if name not in read]

    def _missing(self, names: Sequence[str], what: str, option: str) -> str:
        return (
            f"missing. The fields are {shown_names(names)}. Name that of the {what} with {option}"
            " (in Python: NoteColumns)."
        )


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, or the missing value of pandas."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or type(value).__name__ == "NAType"


def shown_names(names: Sequence[str]) -> str:
    """Return names for a message. Those that may be text of a note are counted only."""
    shown = [name for name in names if name.isidentifier() and len(name) <= _LONGEST_NAME]
    if others := len(names) - len(shown):
        shown.append(f"{others} that are not shown")
    return ", ".join(shown) or "none"


def _json_value(value: Any) -> Any:
    """Return a value of a row as a value of JSON: times and other types as text, NaN as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _json_value(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_json_value(part) for part in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)
