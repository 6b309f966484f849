"""Which notes go to a worker together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from cclearn.notes import Note
from cclearn.service.batching import Batcher
from cclearn.service.limits import Limits
from cclearn.service.metrics import Metrics
from cclearn.service.process import Batch, Coded, Uncoded
from cclearn.service.refusal import Refused


class FakeWorker:
    """Codes a batch when the test allows it.

    Attributes:
        batches: The ids that it was given.
    """

    is_down = False
    is_alive = True
    lost = 0

    def __init__(self, missing: int = 0) -> None:
        self.mending = asyncio.Lock()
        self.batches: list[list[str]] = []
        self.may_go = asyncio.Semaphore(0)
        self._missing = missing

    async def revive(self) -> None:
        """Live."""

    async def code(self, notes: Sequence[Note], echo: Sequence[bool]) -> Batch:
        self.batches.append([note.id for note in notes])
        await self.may_go.acquire()
        outcomes: list[Any] = [Coded(note.id.encode(), 1) for note in notes]
        return Batch(outcomes[self._missing :], 1.0 * len(notes), 0, 0)


def notes(ids: str) -> list[Note]:
    return [Note(id=name, text="") for name in ids]


def run(
    story: Callable[[Batcher, FakeWorker], Awaitable[None]],
    ahead: bool = False,
    missing: int = 0,
    **limits: Any,
) -> None:
    async def play() -> None:
        worker = FakeWorker(missing)
        batcher = Batcher([worker], Limits(**limits), Metrics(), ahead)  # type: ignore[list-item]
        await asyncio.wait_for(story(batcher, worker), 20)
        await batcher.stop()

    asyncio.run(play())


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_what_arrives_while_a_batch_is_coded_is_the_next_one() -> None:
    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        tickets = batcher.take(notes("a"))
        await settled()
        tickets += batcher.take(notes("bc"))
        tickets += batcher.take(notes("defg"))
        for _ in range(3):
            await settled()
            worker.may_go.release()
        assert [(await ticket.outcome).line for ticket in tickets] == [  # type: ignore[union-attr]
            name.encode() for name in "abcdefg"
        ]
        assert worker.batches == [["a"], ["b", "c", "d"], ["e", "f", "g"]]

    run(story, max_batch=3)


def test_a_fast_worker_has_its_next_batch_at_hand() -> None:
    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        batcher.take(notes("a"))
        await settled()
        batcher.take(notes("b"))
        await settled()
        batcher.take(notes("cd"))
        await settled()
        assert worker.batches == [["a"], ["b"]]
        worker.may_go.release()
        await settled()
        assert worker.batches[2:] == [["c", "d"]]

    run(story, ahead=True)


def test_a_batch_waits_for_more_only_while_it_is_not_full() -> None:
    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        batcher.take(notes("a"))
        await settled()
        assert worker.batches == []
        batcher.take(notes("b"))
        while not worker.batches:
            await asyncio.sleep(0.01)
        assert worker.batches == [["a", "b"]]

    run(story, batch_wait=0.2)


def test_what_is_dropped_is_not_coded() -> None:
    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        begun = batcher.take(notes("a"))
        await settled()
        gone, kept = batcher.take(notes("bc")), batcher.take(notes("d"))
        batcher.drop([*begun, *gone])
        assert batcher.waiting == 1
        worker.may_go.release()
        worker.may_go.release()
        assert (await kept[0].outcome).line == b"d"  # type: ignore[union-attr]
        assert worker.batches == [["a"], ["d"]]

    run(story)


def test_nothing_is_taken_in_part() -> None:
    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        batcher.take(notes("abc"))
        with pytest.raises(Refused) as refused:
            batcher.take(notes("de"))
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
        assert batcher.waiting == 3
        batcher.take(notes("d"))

    run(story, max_waiting=4, max_notes=4)


def test_the_wait_is_foretold_by_the_measured_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("cclearn.service.batching.monotonic", lambda: clock[0])

    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        first = batcher.take(notes("a"))
        await settled()
        clock[0] = 1.0
        worker.may_go.release()
        await first[0].outcome  # A second a note.
        batcher.take(notes("bcde"))
        with pytest.raises(Refused) as refused:
            batcher.refuse_if_busy()
        assert refused.value.reason == "wait"
        assert refused.value.headers == {"Retry-After": "2"}  # Four seconds less 0.75 × 3.

    run(story, time_limit=3)


def test_a_batch_at_hand_counts_from_the_answer_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("cclearn.service.batching.monotonic", lambda: clock[0])

    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        tickets = []
        for name in "ab":
            tickets += batcher.take(notes(name))
            await settled()
        for ticket in tickets:
            clock[0] += 1.0
            worker.may_go.release()
            await ticket.outcome
        batcher.take(notes("cdef"))
        batcher.refuse_if_busy()  # Four seconds; it would be 4.8 if the second batch had taken two.
        batcher.take(notes("gh"))
        with pytest.raises(Refused):
            batcher.refuse_if_busy()

    run(story, ahead=True, time_limit=6)


def test_an_error_of_ours_leaves_nobody_waiting() -> None:
    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        worker.may_go.release()
        tickets = batcher.take(notes("ab"))
        outcomes = [await ticket.outcome for ticket in tickets]
        assert isinstance(outcomes[0], Coded)
        assert isinstance(outcomes[1], Uncoded)
        assert outcomes[1].problem == "the service failed (ValueError). Its log says where."
        worker.may_go.release()
        assert isinstance(await batcher.take(notes("cd"))[0].outcome, Coded)

    run(story, missing=1)


def test_without_a_worker_nothing_is_taken() -> None:
    async def story(batcher: Batcher, worker: FakeWorker) -> None:
        worker.is_down = True
        with pytest.raises(Refused) as refused:
            batcher.take(notes("a"))
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "30"})

    run(story)
