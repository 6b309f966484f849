"""JSONL files that doccano exports: sequence labelling, document classification, or both.

Spans are in `label` (or `labels`) as `[start, end, label]`, or in `entities` as objects with
`start_offset`, `end_offset` and `label`. Labels of whole notes are strings in `label` or in `cats`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.evaluation.corpora.annotations import Label, as_offset, labelled_note
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.tables import Table, as_text
from cclearn.notes import CodedNote


class DoccanoOptions(CorpusOptions):
    """Options of doccano.

    Attributes:
        split: Exports have no splits: only `all` has notes.
        training: None, for the same reason.
        text: Name of the field with the text.
        id: Name of the field with the id.
    """

    split: str = ALL
    training: str | None = None
    text: str = "text"
    id: str = "id"


class Doccano(Corpus):
    """Reads an export. Its labels are codes.

    doccano exports no quotes, so that wrong offsets can be noticed only if they are outside the text.
    """

    name = "doccano"
    summary = "An export of doccano (JSONL) whose labels are codes."
    options_type = DoccanoOptions

    def rows(
        self, folder: Path, split: str, options: DoccanoOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes of the file.

        Raises:
            DataError: The file cannot be read, or a field is missing.
        """
        table = Table(folder)
        names = table.names()
        text, identifier = (
            table.find(options.text, "text", names),
            table.find(options.id, "id", names),
        )
        for row in table.rows():
            if isinstance(row, UnusableRow):
                yield row
                continue
            content = row.fields.get(text)
            note = as_text(row.fields.get(identifier))
            if not isinstance(content, str):
                yield UnusableRow(table.path, "the note has no text", row.number, note)
                continue
            labels = []
            for value in _values(row.fields):
                try:
                    labels.append(_label(value))
                except (ValueError, KeyError, TypeError):
                    problem = "not a label of doccano"
                    yield UnusableRow(table.path, problem, row.number, note)
            yield from labelled_note(table.path, note, content, labels, system, row.number)


def _values(fields: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the labels of a row as they are exported."""
    for name in ("label", "labels", "entities", "cats"):
        value = fields.get(name)
        yield from value if isinstance(value, list) else ([] if value is None else [value])


def _label(value: Any) -> Label:
    if isinstance(value, str):
        return Label(value)
    if isinstance(value, dict):
        value = [value["start_offset"], value["end_offset"], value["label"]]
    start, end, code = value
    if not isinstance(code, str):
        raise TypeError("a label is a string")
    return Label(code, as_offset(start), as_offset(end))
