"""JSONL: the data contract, with every field of a coded note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cclearn.notes import CodedNote
from cclearn.notes.jsonl import row_to_json
from cclearn.outputs.output import Output


class JSONL(Output):
    """Writes one line for each note, which `read_coded_notes` reads."""

    name = "jsonl"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield a line for each note."""
        for note in notes:
            yield row_to_json(note) + "\n"
