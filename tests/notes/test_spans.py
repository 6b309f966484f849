from __future__ import annotations

from cclearn.notes.spans import merge_overlapping


def test_overlapping_spans_are_merged_and_touching_ones_are_not() -> None:
    assert merge_overlapping([(8, 9), (0, 3), (2, 5), (5, 6)]) == [(0, 5), (5, 6), (8, 9)]
    assert merge_overlapping([(0, 9), (2, 3)]) == [(0, 9)]
    assert merge_overlapping([]) == []
