"""Progress without a terminal, as in the log of a job: a line every 30 seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cclearn.runtime import progress
from cclearn.runtime.progress import corpus_progress, step_bar, track


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_items_are_counted_every_30_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    def items() -> Iterator[int]:
        for number in range(10):
            clock.now += 7
            yield number

    assert list(track(items(), "building\x1b", total=10)) == list(range(10))
    assert lines(capsys) == ["building\\x1b: 5 of 10", "building\\x1b: 10 of 10"]
    list(track(items(), "building"))
    assert lines(capsys) == ["building: 5", "building: 10"]


def test_training_steps_are_counted_with_the_loss(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for shown in (True, False):
        with step_bar("training x", shown) as show:
            for step in range(1, 5):
                clock.now += 16
                show(step, 1_000, None if step < 3 else 0.25)
    assert lines(capsys) == [
        "training x: 2 of 1,000 steps",
        "training x: 4 of 1,000 steps, loss 0.250",
    ]


def test_a_corpus_has_a_speed_and_an_end(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with corpus_progress(1_000) as show:
        show(100)
        clock.now += 20
        show(200)
        clock.now += 20
        show(300)
        show(301)
    assert lines(capsys) == ["300 of 1,000 notes, 5.0 notes/s, 0:02:20 left"]
