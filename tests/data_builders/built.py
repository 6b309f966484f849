"""Runs builders of span pairs for tests."""

from __future__ import annotations

from collections.abc import Mapping

from cclearn.codes import CodeSystem
from cclearn.notes import SpanPair
from data_builders.builder import AmbiguousString, RejectedRow, configure, find_builder


def built(
    name: str, settings: Mapping[str, object], system: CodeSystem
) -> tuple[dict[str, SpanPair], list[RejectedRow], dict[str, AmbiguousString]]:
    """Run a builder of span pairs.

    Returns:
        The pairs by their text, the rejected rows, and the ambiguous strings by their text.
    """
    builder = find_builder(name)
    rows = list(builder.rows(configure(builder, dict(settings)), system))
    pairs = [row for row in rows if isinstance(row, SpanPair)]
    assert len({pair.id for pair in pairs}) == len(pairs)
    return (
        {pair.text: pair for pair in pairs},
        [row for row in rows if isinstance(row, RejectedRow)],
        {row.text: row for row in rows if isinstance(row, AmbiguousString)},
    )
