"""MDACE's annotation files (Cheng et al. 2023): a JSON file for each chart, with notes and evidence.

The files contain the assigned codes that have evidence, and the text of the note in the field that
MDACE's script uses. They contain no scores, no flags and no codes without evidence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cclearn.codes.traits import traits_of
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.outputs.output import Output

_CHART = re.compile(r"(?P<number>[0-9]+)-.+\.json")


class MDACE(Output):
    """Writes all notes as one chart, whose number (`hadm_id`) is the first part of the file's name.

    Args:
        out: Path of the output file.

    Raises:
        ConfigurationError: The name of the file contains no number of a chart.
    """

    name = "mdace"

    def __init__(self, out: Path | None = None) -> None:
        super().__init__(out)
        chart = None if out is None else _CHART.fullmatch(out.name)
        if chart is None:
            raise ConfigurationError(
                [
                    f"output (out = {out}): MDACE's files are named by their chart, as in"
                    " 141751-ICD-10.json. Pass such a name to --out."
                ]
            )
        self.chart = int(chart["number"])

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield the head of the chart, each note, and the end of the chart."""
        yield f'{{"hadm_id": {self.chart}, "comment": "", "notes": ['
        for number, note in enumerate(notes):
            yield (",\n" if number else "\n") + json.dumps(_note(note), ensure_ascii=False)
        yield "\n]}\n"


def _note(note: CodedNote) -> dict[str, Any]:
    annotations = [
        {
            "begin": piece.start,
            "end": piece.end,
            "code": assigned.code,
            "code_system": traits_of(assigned.system).display_name,
            "description": assigned.description,
            "type": "cclearn",
        }
        for assigned in note.ranked
        for piece in assigned.evidence
    ]
    return {
        "note_id": int(note.id) if re.fullmatch("0|[1-9][0-9]{0,17}", note.id) else note.id,
        "category": "",
        "description": "",
        "annotations": annotations,
        "text": note.text,
    }
