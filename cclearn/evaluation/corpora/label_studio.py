"""JSON files that Label Studio exports, in full (`JSON`) or reduced (`JSON-MIN`).

Spans have labels (`<Labels>`), and whole notes have choices (`<Choices>`) or a taxonomy (`<Taxonomy>`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora.annotations import Label, as_offset, labelled_note
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.tables import as_text
from cclearn.notes import CodedNote
from cclearn.runtime.parsing import read_json

_OF_SPANS = ("labels", "hypertextlabels")
_OF_NOTES = ("choices", "taxonomy")


class LabelStudioOptions(CorpusOptions):
    """Options of Label Studio.

    Attributes:
        split: Exports have no splits: only `all` has notes.
        training: None, for the same reason.
        text: Name of the field of the task's data with the text.
        id: Name of the field of the task's data with the id. None for the field `id`, or for the id of
            the task if there is no such field.
    """

    split: str = ALL
    training: str | None = None
    text: str = "text"
    id: str | None = None


class LabelStudio(Corpus):
    """Reads an export. Its labels are codes, or begin with one that a blank or a colon follows.

    Annotations that were cancelled are left out. A note that several people annotated has the labels of
    all of them.
    """

    name = "label-studio"
    summary = "An export of Label Studio (JSON or JSON-MIN) whose labels are codes."
    options_type = LabelStudioOptions

    def rows(
        self, folder: Path, split: str, options: LabelStudioOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes of the file.

        Raises:
            DataError: The file is not an export.
        """
        tasks = read_json(folder)
        if not isinstance(tasks, list):
            raise DataError(folder, "not an export of Label Studio: not a JSON list of tasks")
        for number, task in enumerate(tasks, start=1):
            if not isinstance(task, dict):
                yield UnusableRow(folder, "not a task", detail=f"task {number}")
                continue
            data = task.get("data", task)
            data = data if isinstance(data, dict) else {}
            given = data.get(options.id or "id")
            if given is None and options.id is None:
                given = task.get("id")
            identifier = as_text(given)
            text = data.get(options.text)
            if not isinstance(text, str):
                problem = f"the task has no text in the field {options.text}"
                yield UnusableRow(folder, problem, note=identifier, detail=f"task {number}")
                continue
            labels: list[Label] = []
            for result in _results(task, options.text, system):
                try:
                    labels += _labels(result)
                except (ValueError, KeyError, TypeError):
                    problem = "not a label of Label Studio"
                    yield UnusableRow(folder, problem, note=identifier, detail=f"task {number}")
            yield from labelled_note(folder, identifier, text, labels, system)


def _results(task: dict[str, Any], text: str, system: CodeSystem) -> Iterator[Any]:
    """Yield the values of the annotations of a task."""
    annotations = task.get("annotations", task.get("completions"))
    if not isinstance(annotations, list):  # JSON-MIN has the values in fields of any name.
        for name, value in task.items():
            if name in ("data", text):
                continue
            if isinstance(value, str) and value.strip() and _code(value) in system:
                yield {"choices": [value]}  # A single choice.
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict) and not part.keys().isdisjoint((*_OF_SPANS, *_OF_NOTES)):
                    yield part
        return
    for annotation in annotations:
        if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
            for result in annotation.get("result") or ():
                # Relations between spans and answers in text fields have other types.
                if isinstance(result, dict) and result.get("type") in (*_OF_SPANS, *_OF_NOTES):
                    yield result.get("value")


def _labels(value: Any) -> Iterator[Label]:
    """Yield the labels of a value."""
    for name in _OF_SPANS:
        for label in value.get(name) or ():
            start, end = as_offset(value["start"]), as_offset(value["end"])
            yield Label(_code(label), start, end, value.get("text"))
    for name in _OF_NOTES:
        for label in value.get(name) or ():
            # A taxonomy has the path of its label, from the top.
            yield Label(_code(label[-1] if isinstance(label, list) else label))


def _code(label: str) -> str:
    """Return the code that a label begins with."""
    return label.replace(":", " ").split(maxsplit=1)[0]
