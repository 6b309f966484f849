"""The order of the notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cclearn.codes import CodeSystem
from cclearn.review.note_index import NoteIndex
from cclearn.review.order import Order, in_share, predicted_minutes
from cclearn.review.session import Session
from tests.review.reviews import TEXT, code, coded_note, decide_all, do, start


def sequence(session: Session) -> list[str]:
    """Return the ids in the order in which a reviewer who accepts everything reviews them."""
    decide_all(session, lambda code: "accept")
    return list(session.log.notes)


def test_the_random_order_is_the_same_for_every_reviewer(
    tmp_path: Path, system: CodeSystem
) -> None:
    notes = [coded_note(f"n{n}") for n in range(30)]
    anna = sequence(start(tmp_path, system, notes, "anna"))
    bob = sequence(start(tmp_path, system, notes, "bob"))
    assert anna == bob != sorted(anna)
    assert set(anna) == {f"n{n}" for n in range(30)}


def test_uncertain_notes_come_first(tmp_path: Path, system: CodeSystem) -> None:
    scores = {"sure": 0.99, "wrong": 0.02, "half": 0.5, "likely": 0.7}
    notes = [
        coded_note(name, codes=[code(TEXT, "I50.9", "heart failure", score=score)])
        for name, score in scores.items()
    ]
    assert sequence(start(tmp_path, system, notes, order="uncertain")) == [
        "half", "likely", "wrong", "sure",
    ]  # fmt: skip


def test_new_codes_come_first_and_are_new_only_once(tmp_path: Path, system: CodeSystem) -> None:
    one = [code(TEXT, "I50.9", "heart failure", score=0.5)]
    two = [*one, code(TEXT, "E11.9", "diabetes", score=0.5)]
    three = [code(TEXT, name, "fever", score=0.5) for name in ("R50.9", "R05.9")]
    notes = [
        coded_note(name, codes=codes)
        for name, codes in (("a", one), ("b", two), ("c", [*three, *two]))
    ]
    # After c, no other note has a new code.
    assert sequence(start(tmp_path, system, notes, order="new_codes"))[0] == "c"
    (tmp_path / "v").mkdir()
    long = coded_note("long", text=TEXT + " and more" * 500, codes=three)
    notes = [long, coded_note("short", codes=two)]
    assert sequence(start(tmp_path / "v", system, notes, order="value")) == ["short", "long"]


def test_notes_kept_apart_are_spread_over_any_order(tmp_path: Path, system: CodeSystem) -> None:
    notes = [
        coded_note(f"n{n}", codes=[code(TEXT, "I50.9", "heart failure", score=n / 400)])
        for n in range(200)
    ]
    session = start(tmp_path, system, notes, order="uncertain", kept_apart=0.2)
    apart = {f"n{n}" for n in range(200) if session.order.kept_apart[n]}
    assert 20 <= len(apart) <= 60
    reviewed: list[str] = []
    for _ in range(100):
        position = session.next()
        assert position is not None
        reviewed.append(session.open(position).note.id)
        for key in ("p0",):
            do(session, "accept", position, key=key)
        do(session, "done", position)
    for first in (10, 50, 100):
        count = sum(identifier in apart for identifier in reviewed[:first])
        assert abs(count - 0.2 * first) <= 1


def test_shares_are_independent_and_of_the_given_size() -> None:
    ids = [str(n) for n in range(10_000)]
    one = {i for i in ids if in_share(i, 0.1, "one", 0)}
    two = {i for i in ids if in_share(i, 0.15, "two", 0)}
    assert abs(len(one) - 1_000) < 100
    assert abs(len(one & two) - 150) < 50
    assert not {i for i in ids if in_share(i, 0, "one", 0)}
    assert {i for i in ids if in_share(i, 1, "one", 0)} == set(ids)


def test_minutes_are_predicted_from_the_reviewers_own_times(tmp_path: Path) -> None:
    from cclearn.notes.jsonl import write_rows

    path = tmp_path / "notes.jsonl"
    notes = [coded_note(f"n{n}", text=TEXT + " word" * (n % 7) * 50) for n in range(40)]
    write_rows(path, notes)
    index = NoteIndex([path])
    reviewed = np.arange(25)
    times = 1.0 + index.proposed.words[reviewed] * 0.01
    assert predicted_minutes(index, reviewed[:19], times[:19]) is None
    predicted = predicted_minutes(index, reviewed, times)
    assert predicted is not None
    np.testing.assert_allclose(predicted, 1.0 + index.proposed.words * 0.01, rtol=1e-6)


def test_no_order_returns_a_note_that_the_filter_excludes(
    tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note(f"n{n}") for n in range(9)], kept_apart=0.5)
    order: Order = session.order
    opened = np.zeros(9, dtype=np.bool_)
    allowed = np.array([n in (3, 4) for n in range(9)])
    first = order.next(opened, allowed, set(), None)
    assert first in (3, 4)
    opened[[3, 4]] = True
    assert order.next(opened, allowed, set(), None) is None
