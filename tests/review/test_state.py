"""Replaying the lines of a log, and undoing actions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.review.session import Refusal
from cclearn.review.state import NoteState
from tests.review.reviews import coded_note, do, start

ACTIONS = [
    "accept",
    "reject",
    "defer",
    "insufficient",
    "principal",
    "up",
    "down",
    "evidence",
    "change",
]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=st.lists(
        st.tuples(
            st.sampled_from([*ACTIONS, "undo", "done", "reopen"]), st.sampled_from(["p0", "p1"])
        ),
        max_size=15,
    )
)
def test_every_action_can_be_undone_down_to_the_first(
    actions: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory, system: CodeSystem
) -> None:
    session = start(tmp_path_factory.mktemp("review"), system, [coded_note()])
    first = session.open(0).state
    states = [(dict(first.entries), first.done)]
    for action, key in actions:
        fields = {"key": key, "start": "0", "end": "5", "quote": "Acute", "code": "I50.1"}
        try:
            state = do(session, action, **fields).state
        except Refusal:
            continue
        if action == "undo":
            states.pop()
        else:
            states.append((dict(state.entries), state.done))
        assert (dict(state.entries), state.done) == states[-1]
        assert list(state.entries) == list(states[-1][0])
        # The log gives the same state in another process.
        replayed = NoteState.replayed(session.log.events("n1"))
        assert list(replayed.entries.values()) == list(state.entries.values())
    while len(states) > 1:
        states.pop()
        state = do(session, "undo").state
        assert (dict(state.entries), state.done) == states[-1]
    with pytest.raises(Refusal, match="nothing to undo"):
        do(session, "undo")
    session.log.close()


def test_keys_of_added_codes_are_not_used_twice(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    do(session, "add", code="R05.9")
    do(session, "add", code="R50.9")
    assert [*session.open(0).state.entries] == ["p0", "p1", "a0", "a1"]
    do(session, "undo")
    assert session.open(0).state.next_key() == "a1"
