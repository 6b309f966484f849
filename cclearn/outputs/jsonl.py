"""JSONL: the contract itself, with everything that a coded note has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cclearn.notes import CodedNote
from cclearn.notes.jsonl import row_to_json
from cclearn.outputs.output import Output


class JSONL(Output):
    """A row a note; what `read_coded_notes` reads."""

    name = "jsonl"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield a line a note."""
        for note in notes:
            yield row_to_json(note) + "\n"
