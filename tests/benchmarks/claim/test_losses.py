from __future__ import annotations

from benchmarks.claim.losses import losses
from cclearn.notes import AssignedCode, CodedNote, Evidence

TEXT = "fiebre, tos y disnea"


def code(name: str, words: str) -> AssignedCode:
    start = TEXT.index(words)
    piece = Evidence(start=start, end=start + len(words), text=words)
    return AssignedCode(code=name, evidence=[piece])


def test_codes_are_counted_after_each_step() -> None:
    gold = CodedNote(
        id="1",
        text=TEXT,
        codes=[code("R50.9", "fiebre"), code("R05.9", "tos"), code("R06.00", "disnea")],
    )
    coded = CodedNote(
        id="1",
        text=TEXT,
        codes=[code("R50.9", "fiebre"), code("R06.02", "y disnea")],
        rejected=[code("R05.9", "tos")],
    )
    assert losses([gold], [coded], {"R50.9", "R05.9"}) == {
        "known": {"gold": 2, "evidence": 2, "proposed": 2, "assigned": 1},
        "absent": {"gold": 1, "evidence": 1, "proposed": 0, "assigned": 0},
    }
