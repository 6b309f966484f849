"""Dynamic batching: notes of all requests wait in one queue, and go to the workers in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from time import monotonic

from cclearn.errors import type_and_location
from cclearn.notes import Note
from cclearn.service.limits import Limits
from cclearn.service.metrics import Metrics
from cclearn.service.process import Outcome, Uncoded
from cclearn.service.refusal import Refused
from cclearn.service.workers import Worker, WorkerLost

log = logging.getLogger(__name__)

_LAST_WEIGHT = 0.2
"""Weight of the last batch in the moving average of the speed."""


_MAX_WAIT = 0.75
"""Maximum expected wait as a share of the time limit. It leaves a margin, because speed varies."""


class Ticket:
    """An accepted note and its outcome.

    Attributes:
        note: The note.
        echo: Whether the response contains the text of the note.
        outcome: Future of the outcome. It is cancelled when no client waits for it any more.
    """

    __slots__ = ("echo", "note", "outcome")

    def __init__(self, note: Note, echo: bool) -> None:
        self.note = note
        self.echo = echo
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()


class Batcher:
    """Hands notes to workers.

    A batch is closed when it is full, or when no more notes wait and `batch_wait` is over.

    Args:
        workers: Workers that have been started.
        limits: Limits of the service.
        metrics: Metrics that count the batches.
        ahead: Whether a worker is handed the next batch while it codes one. The worker is then never
            idle, which helps if a batch is coded in milliseconds. A slow model gains more from a batch
            that is closed later and has more notes.
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
        """The number of notes that wait for a worker."""
        return len(self._waiting)

    @property
    def alive(self) -> int:
        """The number of workers that are alive."""
        return sum(worker.is_alive for worker in self._workers)

    def refuse_if_busy(self, count: int = 1) -> None:
        """Raise an error if notes cannot be accepted now.

        Args:
            count: Number of notes.

        Raises:
            Refused: The notes are too many, would wait too long, or there is no worker.
        """
        limit = self._limits.time_limit
        most = _MAX_WAIT * limit
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

    def take(self, notes: Sequence[Note], echo: bool = True) -> list[Ticket]:
        """Add all notes of a request to the queue.

        Args:
            notes: The valid notes of the request.
            echo: Whether the response contains the texts of the notes.

        Raises:
            Refused: The notes are too many, and none of them was added.
        """
        self.refuse_if_busy(len(notes))
        tickets = [Ticket(note, echo) for note in notes]
        for ticket in tickets:
            self._waiting[ticket] = None
        self._arrived.set()
        return tickets

    def drop(self, tickets: Iterable[Ticket]) -> None:
        """Remove notes from the queue. Cancel the outcomes of those that are being coded."""
        for ticket in tickets:
            self._waiting.pop(ticket, None)
            ticket.outcome.cancel()

    async def stop(self) -> None:
        """Stop handing out batches."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    async def _serve(self, worker: Worker) -> None:
        """Hand a worker one batch after another, until the task is cancelled."""
        while True:
            async with worker.mending:
                await worker.revive()
            batch = await self._next_batch()
            self._coding += len(batch)
            try:
                await self._code(worker, batch)
            except Exception as error:
                location = type_and_location(error)
                log.error("batch failed: %s", location)
                problem = f"the service failed ({type(error).__name__}). Its log says where."
                _settle(batch, [Uncoded(500, problem, location)] * len(batch))
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
            if batch:  # Another worker may have taken the notes meanwhile.
                break
        for ticket in batch:
            del self._waiting[ticket]
        return batch

    async def _code(self, worker: Worker, batch: list[Ticket]) -> None:
        try:
            await self._code_together(worker, batch)
        except WorkerLost:
            # Each note is coded alone and without other batches, so that the one that ends the process
            # does not affect the others.
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
        notes, echo = [ticket.note for ticket in batch], [ticket.echo for ticket in batch]
        done = await worker.code(notes, echo)
        self._metrics.batch(done)
        self._measure(worker, begun, len(batch))
        for outcome in done.outcomes:
            if isinstance(outcome, Uncoded) and outcome.location:
                log.error("note not coded: %s", outcome.location)
        _settle(batch, done.outcomes)

    def _measure(self, worker: Worker, begun: float, count: int) -> None:
        """Measure the seconds for a note by the time of the answer, not by what the worker reports."""
        now = monotonic()
        # A batch that was handed over ahead begins when the previous one is answered.
        seconds = (now - max(begun, self._answered[worker])) / count
        self._answered[worker] = now
        if self._seconds_a_note:
            seconds = _LAST_WEIGHT * seconds + (1 - _LAST_WEIGHT) * self._seconds_a_note
        self._seconds_a_note = seconds


def _settle(tickets: Iterable[Ticket], outcomes: Iterable[Outcome]) -> None:
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        if not ticket.outcome.done():
            ticket.outcome.set_result(outcome)
