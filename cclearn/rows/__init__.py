"""From span pairs and coded notes to training rows."""

from cclearn.rows.build import TrainingRow, document_row, read_source, span_row, span_rows
from cclearn.rows.encode import EncodedRow, LengthReport, encode_rows
from cclearn.rows.mixture import Mixing, mix, shares_of
from cclearn.rows.negatives import Negatives
from cclearn.rows.segments import note_segments, segment_rows
from cclearn.rows.selection import Contamination, capped, weighed
from cclearn.rows.splits import in_share

__all__ = [
    "Contamination",
    "EncodedRow",
    "LengthReport",
    "Mixing",
    "Negatives",
    "TrainingRow",
    "capped",
    "document_row",
    "encode_rows",
    "in_share",
    "mix",
    "note_segments",
    "read_source",
    "segment_rows",
    "shares_of",
    "span_row",
    "span_rows",
    "weighed",
]
