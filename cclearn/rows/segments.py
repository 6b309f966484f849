"""Splitting coded notes into segments that keep every piece of evidence whole."""

from __future__ import annotations

from collections.abc import Iterator

from cclearn.notes import CodedNote
from cclearn.notes.sections import Unit
from cclearn.notes.segments import find_uncut_segments
from cclearn.rows.build import TrainingRow, document_row
from cclearn.rows.splits import in_share
from cclearn.rows.windows import evidence_spans, note_part


def note_segments(note: CodedNote, unit: Unit) -> Iterator[CodedNote]:
    """Split a coded note into segments as `span_loop` does, none of which cuts a piece of evidence.

    Units that share a piece of evidence are joined into one segment. Only white space is left out.

    Args:
        note: Coded note to split. A segment has the codes whose evidence it contains.
        unit: Kind of the segments.
    """
    spans = find_uncut_segments(note.text, unit, evidence_spans(note))
    for number, (start, end) in enumerate(spans, start=1):
        yield note_part(note, start, end, number)


def segment_rows(
    row: TrainingRow, unit: Unit, empty: float = 1.0, seed: int = 0
) -> Iterator[TrainingRow]:
    """Yield a document row for each segment of the note that a row was made from.

    Args:
        row: Document row of a whole note.
        unit: Kind of the segments.
        empty: Share of the segments without evidence to keep. Their answer is `none`.
        seed: Seed of the choice among the segments without evidence, which follows from their ids.

    Raises:
        ValueError: The row is a span row.
    """
    if row.note is None:
        raise ValueError(f"{row.id}: a span has no segments")
    for segment in note_segments(row.note, unit):
        if segment.codes or in_share(f"empty {segment.id}", empty, seed):
            yield document_row(segment, row.system, row.template)
