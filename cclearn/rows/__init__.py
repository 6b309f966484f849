"""From span pairs and coded notes to training rows."""

from cclearn.rows.build import TrainingRow, document_row, read_source, span_row
from cclearn.rows.encode import EncodedRow, LengthReport, encode_rows
from cclearn.rows.mixture import mix
from cclearn.rows.splits import in_share

__all__ = [
    "EncodedRow",
    "LengthReport",
    "TrainingRow",
    "document_row",
    "encode_rows",
    "in_share",
    "mix",
    "read_source",
    "span_row",
]
