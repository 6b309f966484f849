"""Training rows, which are made from span pairs and coded notes."""

from cclearn.rows.build import TrainingRow, document_row, note_span_rows, read_source, span_row
from cclearn.rows.checked_codes import CodeCheck, InvalidCodes
from cclearn.rows.encode import EncodedRow, LengthReport, encode_rows
from cclearn.rows.joining import join_spans
from cclearn.rows.mixture import Mixing, epoch_shares, mix, source_repeats
from cclearn.rows.negatives import Negatives
from cclearn.rows.segments import note_segments, segment_rows
from cclearn.rows.selection import Contamination, limit_rows, repeat_by_grade
from cclearn.rows.splits import in_share

__all__ = [
    "CodeCheck",
    "Contamination",
    "EncodedRow",
    "InvalidCodes",
    "LengthReport",
    "Mixing",
    "Negatives",
    "TrainingRow",
    "document_row",
    "encode_rows",
    "epoch_shares",
    "in_share",
    "join_spans",
    "limit_rows",
    "mix",
    "note_segments",
    "note_span_rows",
    "read_source",
    "repeat_by_grade",
    "segment_rows",
    "source_repeats",
    "span_row",
]
