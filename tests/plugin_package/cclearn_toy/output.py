"""An output format: `cclearn code notes.jsonl --out codes.txt --format toy`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cclearn.notes import CodedNote
from cclearn.outputs import Output


class ToyOutput(Output):
    """Writes a line for each note: its id and its codes."""

    name = "toy"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield one line at a time, so that memory stays constant."""
        for note in notes:
            yield f"{note.id}: {' '.join(code.code for code in note.codes)}\n"
