"""The submission files of CodiEsp (CLEF eHealth 2020), as its evaluation scripts read them.

The files are tab-separated, without a header, with codes in lower case. They contain only assigned
codes: no scores, no flags and no notes without codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cclearn.errors import CclearnError, shown_id
from cclearn.notes import CodedNote
from cclearn.outputs.output import Output

DIAGNOSIS = "DIAGNOSTICO"
PROCEDURE = "PROCEDIMIENTO"


class CodiEspD(Output):
    """Writes the case and the code, with the best code first."""

    name = "codiesp-d"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield all lines of a note together. Raises CclearnError."""
        for note in notes:
            case = _case(note)
            yield "".join(f"{case}\t{assigned.code.lower()}\n" for assigned in note.ranked)


class CodiEspX(Output):
    """Writes the case, `start end`, the label and the code in a line for each piece of evidence."""

    name = "codiesp-x"

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield all lines of a note together. Raises CclearnError."""
        for note in notes:
            case = _case(note)
            yield "".join(
                f"{case}\t{piece.start} {piece.end}\t{DIAGNOSIS}\t{assigned.code.lower()}\n"
                for assigned in note.ranked
                for piece in assigned.evidence
            )


def _case(note: CodedNote) -> str:
    if any(character in note.id for character in "\t\r\n"):
        raise CclearnError(
            f"format (format = codiesp, id = {shown_id(note.id)}): an id in this format contains no tab"
            " and no line end. Rename the note."
        )
    return note.id
