from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.bulk.identifiers import Identifiers


@given(st.lists(st.text(alphabet="ab\ud800", max_size=2), max_size=30))
def test_rows_that_repeat_an_id_are_found(ids: list[str]) -> None:
    identifiers = Identifiers()
    for identifier in ids:
        identifiers.add(identifier)
    expected = [number for number, identifier in enumerate(ids) if identifier in ids[:number]]
    assert identifiers.repeated(lambda: enumerate(ids)) == expected


def test_different_ids_with_equal_hashes_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cclearn.bulk.identifiers._hash", len)
    identifiers = Identifiers()
    for identifier in ("a", "b", "cc", "a"):
        identifiers.add(identifier)
    assert identifiers.repeated(lambda: enumerate(("a", "b", "cc", "a"))) == [3]


def test_rows_are_read_again_only_if_hashes_are_equal() -> None:
    identifiers = Identifiers()
    identifiers.add("a")
    identifiers.add("b")

    def never() -> list[tuple[int, str]]:
        raise AssertionError

    assert identifiers.repeated(never) == []
    assert Identifiers().repeated(never) == []
