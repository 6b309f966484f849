from __future__ import annotations

from cclearn.coding.lexicon.replacements import Replacement, replaced

MATCHES = [(0, 4, "A00"), (5, 9, "B00"), (20, 30, "C00")]


def test_phrases_within_a_part_are_replaced() -> None:
    found = replaced(MATCHES, [Replacement(0, 10, [(2, 8, "D00"), (8, 10, "E00")])])
    assert found == [(2, 8, "D00"), (8, 10, "E00"), (20, 30, "C00")]


def test_a_part_is_left_as_it_is_if_a_phrase_extends_beyond_it() -> None:
    assert replaced(MATCHES, [Replacement(2, 9, [(2, 9, "D00")])]) == MATCHES
    assert replaced(MATCHES, [Replacement(15, 25, [(15, 25, "D00")])]) == MATCHES


def test_a_part_that_overlaps_an_earlier_one_is_left_out() -> None:
    parts = [Replacement(9, 12, [(9, 12, "D00")]), Replacement(11, 15, [(11, 15, "E00")])]
    assert replaced(MATCHES, parts) == [*MATCHES[:2], (9, 12, "D00"), MATCHES[2]]


def test_a_part_without_phrases_gets_new_ones() -> None:
    assert replaced([], [Replacement(1, 3, [(1, 3, "A00")])]) == [(1, 3, "A00")]
