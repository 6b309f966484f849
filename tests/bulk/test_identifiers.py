from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.bulk.identifiers import Identifiers


@given(st.lists(st.text(alphabet="ab\ud800", max_size=2), max_size=30))
def test_the_rows_that_repeat_an_id_are_found(ids: list[str]) -> None:
    identifiers = Identifiers()
    for each in ids:
        identifiers.add(each)
    expected = [number for number, each in enumerate(ids) if each in ids[:number]]
    assert identifiers.repeated(lambda: enumerate(ids)) == expected


def test_hashes_alone_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cclearn.bulk.identifiers._hash", len)
    identifiers = Identifiers()
    for each in ("a", "b", "cc", "a"):
        identifiers.add(each)
    assert identifiers.repeated(lambda: enumerate(("a", "b", "cc", "a"))) == [3]


def test_rows_are_gone_through_again_only_where_hashes_are_alike() -> None:
    identifiers = Identifiers()
    identifiers.add("a")
    identifiers.add("b")

    def never() -> list[tuple[int, str]]:
        raise AssertionError

    assert identifiers.repeated(never) == []
    assert Identifiers().repeated(never) == []
