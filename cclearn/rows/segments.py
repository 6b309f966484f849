"""Notes as segments: every evidence stands whole in one of them."""

from __future__ import annotations

from collections.abc import Iterator

from cclearn.notes import CodedNote
from cclearn.notes.sections import Unit, find_units
from cclearn.rows.build import TrainingRow, document_row
from cclearn.rows.splits import in_share
from cclearn.rows.windows import part_of


def segments(note: CodedNote, unit: Unit) -> Iterator[CodedNote]:
    """Split a note into segments as `span_loop` does, none of which cuts an evidence.

    Units that an evidence reaches over are one segment. Only white space is in none.

    Args:
        note: With its codes; a segment has the codes whose evidence is in it.
        unit: What a segment is.
    """
    cited = {(e.start, e.end) for code in note.codes for e in code.evidence}
    joined: list[tuple[int, int]] = []
    for start, end in sorted(cited | set(find_units(note.text, unit))):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    for number, (start, end) in enumerate(joined, start=1):
        yield part_of(note, start, end, number)


def segment_rows(
    row: TrainingRow, unit: Unit, empty: float = 1.0, seed: int = 0
) -> Iterator[TrainingRow]:
    """Yield a document row for each segment of the note that a row was made from.

    Args:
        row: Of a whole note.
        unit: What a segment is.
        empty: The share kept of the segments without evidence, whose answer is that there is none.
        seed: Of the draw by the segments' ids.
    """
    if row.note is None:
        raise ValueError(f"{row.id}: a span has no segments")
    for segment in segments(row.note, unit):
        if segment.codes or in_share(f"empty {segment.id}", empty, seed):
            yield document_row(segment, row.system, row.template)
