"""The rows of the data contract as Parquet, which is faster to read than JSONL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
"""Bytes that are converted at once. No single line may be longer."""

_READ = 1_000
"""Number of rows that are read at once."""


_UNREADABLE = b"\xff"
"""Stands for an unreadable value without accessible bytes, e.g. a list with a string that is not
UTF-8."""


def arrow_schema(row_type: type[BaseModel], metadata: Sequence[str] = ()) -> pa.Schema:
    """Return the Arrow schema of a type of row: `schema_version` and the fields of its JSON.

    Args:
        row_type: Type of the rows.
        metadata: Names of the metadata that every row has, as text. Other metadata has no fixed type,
            and is left out.
    """
    import pyarrow as pa

    columns = []
    for name, field in row_type.model_fields.items():
        if get_origin(field.annotation) is not dict:
            columns.append((name, _arrow_type(field.annotation)))
        elif metadata:
            columns.append((name, pa.struct([(part, pa.string()) for part in metadata])))
    return pa.schema([("schema_version", pa.int64()), *columns])


def _arrow_type(annotation: Any) -> pa.DataType:
    """Return the Arrow type of a field's annotation. Every type may be null."""
    import pyarrow as pa

    parts = [part for part in get_args(annotation) if part is not NoneType]
    if get_origin(annotation) is list:
        return pa.list_(_arrow_type(parts[0]))
    if get_origin(annotation) in (Union, UnionType):
        return _arrow_type(parts[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return pa.struct([(name, _arrow_type(field.annotation)) for name, field in fields])
    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    return types.get(annotation, pa.string())


def jsonl_to_parquet(
    jsonl: Path, parquet: Path, row_type: type[BaseModel], metadata: Sequence[str] = ()
) -> None:
    """Convert a JSONL file to Parquet in bounded memory.

    Args:
        jsonl: Path of a file that `write_rows` has written.
        parquet: Path of the Parquet file, which appears only when it is complete.
        row_type: Type of the rows: `Note`, `CodedNote` or `SpanPair`.
        metadata: Names of the metadata that every row has, as text. Other metadata is left out.
    """
    from pyarrow import json as arrow_json
    from pyarrow import parquet as arrow_parquet

    schema = arrow_schema(row_type, metadata)
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
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        ) as reader:
            for batch in reader:
                writer.write_batch(batch)


def parquet_rows(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Stream the rows of a Parquet file as dictionaries.

    A value that cannot be read, e.g. a string that is not UTF-8 or a time out of range, is returned as
    bytes. No field of the data contract accepts bytes, so that only this row is rejected.

    Args:
        path: Path of the file.
        columns: Names of the columns to read, None for all. Columns that the file lacks are left out.

    Raises:
        DataError: The file is missing or is not a Parquet file.
    """
    for batch in _batches(path, columns):
        yield from _rows(batch, path)


def _rows(batch: pa.RecordBatch, path: Path) -> list[dict[str, Any]]:
    with foreign_errors(lambda location: DataError(path, f"a row cannot be read ({location})")):
        try:
            rows: list[dict[str, Any]] = batch.to_pylist()
        except (ValueError, OverflowError):
            columns = zip(batch.schema.names, batch.columns, strict=True)
            values = {name: [_value(scalar) for scalar in column] for name, column in columns}
            return [{name: values[name][row] for name in values} for row in range(batch.num_rows)]
    return rows


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return scalar.as_buffer().to_pybytes() if hasattr(scalar, "as_buffer") else _UNREADABLE


def _batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    with _open(path) as file:
        _names(file, path)
        yield from file.iter_batches(batch_size=_READ, columns=columns)


def _names(file: ParquetFile, path: Path) -> list[str]:
    names: list[str] = file.schema_arrow.names
    if len(set(names)) < len(names):
        raise DataError(path, "two columns have the same name")
    return names


class ParquetReader:
    """Reads ranges of the rows of a Parquet file, skipping the rows between them cheaply.

    Args:
        path: Path of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batches = _batches(path)
        self._remaining: pa.RecordBatch | None = None
        self._position = 0

    def rows(self, start: int, end: int) -> Iterator[dict[str, Any]]:
        """Yield a range of rows. The file is decoded only once if ranges are read in rising order.

        Args:
            start: Number of the first row, counted from 0.
            end: Number after the last row.

        Raises:
            DataError: The file cannot be read.
        """
        if start < self._position:
            self._batches, self._remaining, self._position = _batches(self._path), None, 0
        while self._position < end:
            if self._remaining is None:
                self._remaining = next(self._batches, None)
                if self._remaining is None:
                    return
            batch = self._remaining
            last = self._position + batch.num_rows
            low, high = max(start, self._position), min(end, last)
            if low < high:
                yield from _rows(batch.slice(low - self._position, high - low), self._path)
            self._remaining = None if high >= last else batch.slice(high - self._position)
            self._position = max(high, self._position) if self._remaining is not None else last


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file.

    Raises:
        DataError: The file is missing or is not a Parquet file, or two columns have the same name.
    """
    with _open(path) as file:
        return _names(file, path)


def count_rows(path: Path) -> int:
    """Return the number of rows in the metadata of a Parquet file.

    Raises:
        DataError: The file is missing or is not a Parquet file.
    """
    with _open(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _open(path: Path) -> Iterator[ParquetFile]:
    from pyarrow import parquet as arrow_parquet

    if not path.is_file():
        raise DataError(path, "no such file")
    with (
        foreign_errors(
            lambda location: DataError(path, f"not a readable Parquet file ({location})")
        ),
        arrow_parquet.ParquetFile(path) as file,
    ):
        yield file
