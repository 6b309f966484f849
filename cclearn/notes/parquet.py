"""The rows of the contract as Parquet, the fast format: made from JSONL, read back the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from cclearn.errors import DataError, foreign_errors
from cclearn.runtime.files import atomic_file

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

_BLOCK = 16 * 2**20
"""Bytes that are converted at once; no single line may be longer."""

_READ = 1_000
"""Rows that are read at once."""


_UNREADABLE = b"\xff"
"""In the place of a value that cannot be read and has no bytes of its own to give: a list or a structure
with a string that is not UTF-8, a time that is out of range."""


def arrow_schema(row_type: type[BaseModel]) -> pa.Schema:
    """Return the columns of a kind of row: those of its JSON, `schema_version` the first."""
    import pyarrow as pa

    fields = row_type.model_fields.items()
    columns = [(name, _arrow_type(field.annotation)) for name, field in fields]
    return pa.schema([("schema_version", pa.int64()), *columns])


def _arrow_type(annotation: Any) -> pa.DataType:
    """Return the Arrow type of a field's annotation; any of them may be null."""
    import pyarrow as pa

    parts = [part for part in get_args(annotation) if part is not NoneType]
    if get_origin(annotation) is list:
        return pa.list_(_arrow_type(parts[0]))
    if get_origin(annotation) in (Union, UnionType):
        return _arrow_type(parts[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return pa.struct([(name, _arrow_type(field.annotation)) for name, field in fields])
    return {int: pa.int64(), float: pa.float64()}.get(annotation, pa.string())


def jsonl_to_parquet(jsonl: Path, parquet: Path, row_type: type[BaseModel]) -> None:
    """Write a JSONL file of the contract again as Parquet, in bounded memory.

    Args:
        jsonl: What `write_rows` wrote.
        parquet: Appears when it is complete.
        row_type: `Note`, `CodedNote` or `SpanPair`.
    """
    from pyarrow import json as arrow_json
    from pyarrow import parquet as arrow_parquet

    schema = arrow_schema(row_type)
    with (
        atomic_file(parquet) as stream,
        arrow_parquet.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        if jsonl.stat().st_size == 0:
            return
        with arrow_json.open_json(
            jsonl,
            read_options=arrow_json.ReadOptions(block_size=_BLOCK),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="error"
            ),
        ) as reader:
            for batch in reader:
                writer.write_batch(batch)


def parquet_rows(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Stream the rows of a Parquet file as dictionaries.

    A value that cannot be read, e.g. a string that is not UTF-8 or a time that is out of range, is given
    as bytes, which no field of the contract accepts: the row is then rejected by its number, and the
    others are read.

    Args:
        path: The file.
        columns: Those to read; None for all. Where the file lacks them, the rows are empty.

    Raises:
        DataError: It is missing, or no Parquet.
    """
    for batch in _batches(path, columns):
        yield from _rows(batch, path)


def _rows(batch: pa.RecordBatch, path: Path) -> list[dict[str, Any]]:
    with foreign_errors(lambda place: DataError(path, f"a row cannot be read ({place})")):
        try:
            rows: list[dict[str, Any]] = batch.to_pylist()
        except (ValueError, OverflowError):
            columns = zip(batch.schema.names, batch.columns, strict=True)
            values = {name: [_value(each) for each in column] for name, column in columns}
            return [{name: values[name][row] for name in values} for row in range(batch.num_rows)]
    return rows


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return scalar.as_buffer().to_pybytes() if hasattr(scalar, "as_buffer") else _UNREADABLE


def _batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    with _open(path) as file:
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise DataError(path, "two columns have the same name")
        yield from file.iter_batches(batch_size=_READ, columns=columns)


class ParquetReader:
    """Reads runs of a Parquet file's rows; those between two of them are passed over cheaply.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batches = _batches(path)
        self._rest: pa.RecordBatch | None = None
        self._place = 0

    def rows(self, start: int, end: int) -> Iterator[dict[str, Any]]:
        """Yield the rows from one number to another, from 0, half-open. Raises DataError.

        Whoever asks in rising order decodes the file once.
        """
        if start < self._place:
            self._batches, self._rest, self._place = _batches(self._path), None, 0
        while self._place < end:
            if self._rest is None:
                self._rest = next(self._batches, None)
                if self._rest is None:
                    return
            batch = self._rest
            last = self._place + batch.num_rows
            low, high = max(start, self._place), min(end, last)
            if low < high:
                yield from _rows(batch.slice(low - self._place, high - low), self._path)
            self._rest = None if high >= last else batch.slice(high - self._place)
            self._place = max(high, self._place) if self._rest is not None else last


def count_rows(path: Path) -> int:
    """Return how many rows a Parquet file says it has. Raises DataError as `parquet_rows` does."""
    with _open(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _open(path: Path) -> Iterator[ParquetFile]:
    from pyarrow import parquet as arrow_parquet

    if not path.is_file():
        raise DataError(path, "no such file")
    with (
        foreign_errors(lambda place: DataError(path, f"not Parquet that can be read ({place})")),
        arrow_parquet.ParquetFile(path) as file,
    ):
        yield file
