"""Dynamic batching: notes of all requests wait in one queue, and go to the workers in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from time import monotonic

from cclearn.errors import type_and_place
from cclearn.notes import Note
from cclearn.service.limits import Limits
from cclearn.service.metrics import Metrics
from cclearn.service.process import Outcome, Uncoded
from cclearn.service.refusal import Refused
from cclearn.service.workers import Worker, WorkerLost

log = logging.getLogger(__name__)

_RECENT = 0.2
"""The weight of the last batch in the measured speed."""


_FORETOLD = 0.75
"""The share of the time limit that may be foretold as a wait: the speed is not even."""


class Ticket:
    """A note that was taken, and what becomes of it.

    Attributes:
        note: The note.
        outcome: Cancelled where nobody waits for it any more.
    """

    __slots__ = ("note", "outcome")

    def __init__(self, note: Note) -> None:
        self.note = note
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()


class Batcher:
    """Hands notes to workers.

    A batch closes when it is full, or when nothing more waits and `batch_wait` is over.

    Args:
        workers: Started already.
        limits: Of the service.
        metrics: Where batches are counted.
        ahead: Whether a worker is handed the next batch while it codes one. It then never idles, which
            pays where a batch is coded in milliseconds; a slow model is better off with one that closes
            late and is fuller.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        limits: Limits,
        metrics: Metrics,
        ahead: bool,
    ) -> None:
        self._workers = workers
        self._limits = limits
        self._metrics = metrics
        self._waiting: dict[Ticket, None] = {}
        self._coding = 0
        self._arrived = asyncio.Event()
        self._seconds_a_note = 0.0
        self._answered = dict.fromkeys(workers, 0.0)
        self._lanes = [
            asyncio.create_task(self._serve(worker))
            for worker in workers
            for _ in range(2 if ahead else 1)
        ]
        metrics.watch("waiting_notes", "Notes that wait for a coder.", lambda: self.waiting)
        metrics.watch("notes_in_progress", "Notes handed to a coder.", lambda: self._coding)
        metrics.watch("workers", "Processes that code.", lambda: self.alive)
        metrics.watch(
            "workers_lost",
            "Processes that ended by themselves, since the start.",
            lambda: sum(worker.lost for worker in workers),
        )

    @property
    def waiting(self) -> int:
        """How many notes wait for a worker."""
        return len(self._waiting)

    @property
    def alive(self) -> int:
        """How many workers there are."""
        return sum(worker.is_alive for worker in self._workers)

    def refuse_if_busy(self, count: int = 1) -> None:
        """Say whether so many notes could be taken now.

        Raises:
            Refused: They are too many, would wait too long, or there is no worker.
        """
        limit = self._limits.time_limit
        most = _FORETOLD * limit
        seconds = (self.waiting + self._coding) * self._seconds_a_note / max(1, self.alive)
        if all(worker.is_down for worker in self._workers):
            raise Refused(503, "no coder is running. The service's log says why.", "no_worker", 30)
        if self.waiting + count > self._limits.max_waiting:
            problem = f"{self.waiting} notes are waiting. Send these again later."
            raise Refused(429, problem, "queue", min(seconds, limit))
        if seconds > most:
            problem = (
                f"the notes before these will take about {seconds:.1f} s, and the limit is {limit:g} s"
                " for all. Send these again later."
            )
            raise Refused(429, problem, "wait", seconds - most)

    def take(self, notes: Sequence[Note]) -> list[Ticket]:
        """Take all notes of a request into the queue, or none. Raises Refused."""
        self.refuse_if_busy(len(notes))
        tickets = [Ticket(note) for note in notes]
        for ticket in tickets:
            self._waiting[ticket] = None
        self._arrived.set()
        return tickets

    def drop(self, tickets: Iterable[Ticket]) -> None:
        """Take back what has not begun; nobody waits for the rest either."""
        for ticket in tickets:
            self._waiting.pop(ticket, None)
            ticket.outcome.cancel()

    async def stop(self) -> None:
        """Hand out no more batches."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    async def _serve(self, worker: Worker) -> None:
        """Hand a worker one batch after the other, for ever."""
        while True:
            async with worker.mending:
                await worker.revive()
            batch = await self._next_batch()
            self._coding += len(batch)
            try:
                await self._code(worker, batch)
            except Exception as error:
                place = type_and_place(error)
                log.error("batch failed: %s", place)
                problem = f"the service failed ({type(error).__name__}). Its log says where."
                _settle(batch, [Uncoded(500, problem, place)] * len(batch))
            finally:
                self._coding -= len(batch)

    async def _next_batch(self) -> list[Ticket]:
        most, wait = self._limits.max_batch, self._limits.batch_wait
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            if wait and self.waiting < most:
                await asyncio.sleep(wait)
            batch = list(islice(self._waiting, most))
            if batch:  # Another worker may have been quicker.
                break
        for ticket in batch:
            del self._waiting[ticket]
        return batch

    async def _code(self, worker: Worker, batch: list[Ticket]) -> None:
        try:
            await self._code_together(worker, batch)
        except WorkerLost:
            # Each note by itself and no batch beside it: the one to blame takes no other down.
            async with worker.mending:
                for ticket in batch:
                    await self._code_again(worker, ticket)

    async def _code_again(self, worker: Worker, ticket: Ticket) -> None:
        await worker.revive()
        if ticket.outcome.done():
            return
        try:
            await self._code_together(worker, [ticket])
        except WorkerLost:
            _settle([ticket], [Uncoded(503, "the coder's process was lost twice over it.")])

    async def _code_together(self, worker: Worker, batch: list[Ticket]) -> None:
        begun = monotonic()
        done = await worker.code([ticket.note for ticket in batch])
        self._metrics.batch(done)
        self._measure(worker, begun, len(batch))
        for outcome in done.outcomes:
            if isinstance(outcome, Uncoded) and outcome.place:
                log.error("note not coded: %s", outcome.place)
        _settle(batch, done.outcomes)

    def _measure(self, worker: Worker, begun: float, count: int) -> None:
        """Measure how long a note takes by when the worker answers, not by what it says."""
        now = monotonic()
        # A batch that was handed over ahead began when the one before it was answered.
        seconds = (now - max(begun, self._answered[worker])) / count
        self._answered[worker] = now
        if self._seconds_a_note:
            seconds = _RECENT * seconds + (1 - _RECENT) * self._seconds_a_note
        self._seconds_a_note = seconds


def _settle(tickets: Iterable[Ticket], outcomes: Iterable[Outcome]) -> None:
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        if not ticket.outcome.done():
            ticket.outcome.set_result(outcome)
