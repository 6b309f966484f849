"""Mutations of Parquet files."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz.canary import CANARY
from tests.fuzz.mutations.raw_bytes import mutate_bytes


def parquet_file(rng: random.Random, content: bytes) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    act = rng.randrange(10)
    name = rng.choice(table.column_names)
    if act <= 5:
        column = _hostile_column(rng, len(table), table[name])
        table = table.set_column(table.column_names.index(name), name, column)
    elif act == 6:
        new = rng.choice((CANARY, "", "\x1b[31m", name.upper(), "note\n", "x" * 10_000, "a.b"))
        table = table.rename_columns([new if old == name else old for old in table.column_names])
    elif act == 7:
        table = rng.choice((table.slice(0, 0), table.drop_columns([name]), table.select([])))
    elif act == 8:
        table = table.append_column(name, table[name])
    else:
        extra = _hostile_column(rng, len(table), table[name])
        table = table.append_column(rng.choice((CANARY, "extra")), extra)
    sink = io.BytesIO()
    try:
        parquet.write_table(table, sink, row_group_size=rng.choice((1, 1000)))
    except (pa.ArrowException, OSError):
        return mutate_bytes(rng, content)
    written = sink.getvalue()
    if rng.random() < 0.2:  # Damage in the footer.
        at = len(written) - rng.randrange(1, min(len(written), 600))
        return written[:at] + rng.randbytes(1) + written[at + 1 :]
    return written


def _hostile_column(rng: random.Random, rows: int, column: Any) -> Any:
    import pyarrow as pa

    def of(kind: Any, value: Any) -> Any:
        return pa.array([value] * rows, kind)

    def cast(kind: Any, value: int, width: Any = None) -> Any:
        return pa.array([value] * rows, width or pa.int64()).view(kind)

    text = pa.array([CANARY] * rows, pa.string())
    bad = pa.array([b"\xff\xfe" + CANARY.encode()] * rows, pa.binary())
    makers: tuple[Callable[[], Any], ...] = (
        lambda: cast(pa.timestamp("s"), 2**62),
        lambda: cast(pa.timestamp("ms"), -(2**62)),
        lambda: cast(pa.timestamp("us"), 2**63 - 1),
        lambda: cast(pa.timestamp("us", tz="Nowhere/Town"), 0),
        lambda: cast(pa.timestamp("ms", tz="UTC"), 2**60),
        lambda: cast(pa.timestamp("ns"), 123),
        lambda: cast(pa.date32(), 2**31 - 1, pa.int32()),
        lambda: cast(pa.date64(), 2**62),
        lambda: cast(pa.time64("us"), -1),
        lambda: cast(pa.time32("s"), 2**31 - 1, pa.int32()),
        lambda: cast(pa.duration("s"), 2**62),
        lambda: cast(pa.duration("ns"), 1),
        lambda: of(pa.decimal128(38, 0), 10**37),
        lambda: of(pa.decimal256(76, 5), 1),
        lambda: of(pa.float16(), 1.0),
        lambda: of(pa.float64(), float("nan")),
        lambda: of(pa.int64(), 2**62),
        lambda: of(pa.uint64(), 2**64 - 1),
        lambda: of(pa.bool_(), True),
        lambda: pa.nulls(rows),
        lambda: of(pa.list_(pa.string()), [CANARY]),
        lambda: of(pa.list_(pa.list_(pa.list_(pa.int8()))), [[[1]]]),
        lambda: of(pa.struct([("a", pa.struct([("b", pa.string())]))]), {"a": {"b": CANARY}}),
        lambda: of(pa.map_(pa.string(), pa.string()), [(CANARY, "x")]),
        lambda: of(pa.binary(), CANARY.encode()),
        lambda: bad.view(pa.string()),
        lambda: bad.view(pa.string()).dictionary_encode(),
        lambda: text.dictionary_encode(),
        lambda: text.cast(pa.large_string()),
        lambda: text.cast(pa.string_view()),
        lambda: of(pa.string(), "x" * 1_000_000),
        lambda: of(pa.string(), CANARY),
        lambda: of(pa.string(), ""),
        lambda: column.combine_chunks().dictionary_encode(),
    )
    try:
        return rng.choice(makers)()
    except (pa.ArrowException, NotImplementedError, AttributeError):
        return text
