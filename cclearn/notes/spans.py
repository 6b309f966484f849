"""Spans of a text, and how overlapping ones are merged."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]
"""The start and the end of a piece of text: half-open offsets in Unicode code points."""


def merge_overlapping(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, with those that overlap merged into one.

    Spans that only touch each other stay apart.
    """
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
