"""Files of annotation tools, which `cclearn build corpus` reads back: Label Studio, doccano and brat.

The label of a span is its code. Offsets count code points. Only assigned codes are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from cclearn.codes.traits import traits_of
from cclearn.notes import AssignedCode, CodedNote
from cclearn.outputs.archive import Archive
from cclearn.outputs.output import Output


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class LabelStudio(Output):
    """Writes a list of tasks for a project with `<Text name="text">`, `<Labels>` and `<Choices>`.

    The codes of reviewed notes are annotations, and those of others predictions, which Label Studio
    shows as suggestions. A code without evidence is a choice for the whole note.
    """

    name = "label-studio"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield a line for each task."""
        before = "[\n"
        for note in notes:
            yield before + _line(self._task(note))
            before = ",\n"
        yield "[]\n" if before == "[\n" else "\n]\n"

    def _task(self, note: CodedNote) -> dict[str, Any]:
        results = [result for assigned in note.ranked for result in _results(assigned)]
        task: dict[str, Any] = {"data": {"id": note.id, "text": note.text}}
        if note.review is not None:
            task["annotations"] = [{"result": results}]
        else:
            task["predictions"] = [{"model_version": "cclearn", "result": results}]
        return task


def _results(assigned: AssignedCode) -> Iterator[dict[str, Any]]:
    score = {} if assigned.score is None else {"score": assigned.score}
    for piece in assigned.evidence:
        value: dict[str, Any] = {"start": piece.start, "end": piece.end, "text": piece.text}
        value["labels"] = [assigned.code]
        yield {"from_name": "label", "to_name": "text", "type": "labels", "value": value, **score}
    if not assigned.evidence:
        value = {"choices": [assigned.code]}
        yield {"from_name": "codes", "to_name": "text", "type": "choices", "value": value, **score}


class Doccano(Output):
    """Writes a line of JSON for each note: spans in `label`, codes without evidence in `cats`."""

    name = "doccano"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield a line for each note."""
        for note in notes:
            labels = [
                [piece.start, piece.end, assigned.code]
                for assigned in note.ranked
                for piece in assigned.evidence
            ]
            others = [assigned.code for assigned in note.ranked if not assigned.evidence]
            yield _line({"id": note.id, "text": note.text, "label": labels, "cats": others}) + "\n"


class Brat(Archive):
    """Writes `ID.txt` and `ID.ann` for each note, as one archive.

    brat's types have no dots, so that spans have the type `Code`, and a reference to the code. A code
    without evidence is not written, because brat's annotations are spans.
    """

    name = "brat"

    def files(self, note: CodedNote) -> Iterator[tuple[str, bytes]]:
        """Yield the text and the annotations of a note. Raises CclearnError."""
        name = self.file_name(note)
        yield f"{name}.txt", note.text.encode()
        lines = []
        number = 0
        for assigned in note.ranked:
            system = re.sub(r"\W", "", traits_of(assigned.system).display_name).upper()
            for piece in assigned.evidence:
                number += 1
                parts = [found.span() for found in re.finditer(r"[^\r\n]+", piece.text)]
                offsets = ";".join(f"{piece.start + a} {piece.start + b}" for a, b in parts)
                quote = " ".join(piece.text[a:b] for a, b in parts)
                title = " ".join(assigned.description.split())
                lines.append(f"T{number}\tCode {offsets}\t{quote}\n")
                lines.append(f"N{number}\tReference T{number} {system}:{assigned.code}\t{title}\n")
        yield f"{name}.ann", "".join(lines).encode()
