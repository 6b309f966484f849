"""What the service answers, as the OpenAPI document has it and as bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from cclearn.notes import CodedNote, Note
from cclearn.service.batching import Ticket
from cclearn.service.bodies import JSON, LINES
from cclearn.service.process import Coded, Uncoded
from cclearn.service.refusal import Refused

log = logging.getLogger(__name__)

_AGAIN = 30
"""Seconds after which a coder whose process was lost may do better."""

HUNG_UP = 499
"""What is counted where nobody is left to be answered; the number is that of nginx."""

_LAST_WORDS = 5.0
"""Seconds behind the time limit in which a caller may still read a stream."""


_FIRST = asyncio.FIRST_COMPLETED


class NoteRow(Note):
    """A note as a request holds it."""

    schema_version: Literal[1] = 1


class CodedRow(CodedNote):
    """A coded note as an answer holds it."""

    schema_version: Literal[1] = 1


class UncodedRow(BaseModel):
    """Of several notes, one that could not be coded."""

    id: str
    problem: str = Field(description="Without a word of the note.")


class Problem(BaseModel):
    """Why there is no other answer, without text of a note."""

    detail: str


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok", "no worker"]
    model: str
    system: str
    release: str
    version: str
    workers: int
    waiting: int


async def whole_answer(
    request: Request, tickets: Sequence[Ticket], single: bool, deadline: float
) -> Response:
    """Wait for all notes and answer with them.

    Raises:
        Refused: Time is up, or no note could be coded.
    """
    await _wait(request, tickets, deadline)
    outcomes = [ticket.outcome.result() for ticket in tickets]
    uncoded = [outcome for outcome in outcomes if isinstance(outcome, Uncoded)]
    if uncoded and len(uncoded) == len(outcomes):
        first = uncoded[0]
        again = _AGAIN if first.status == 503 else None
        raise Refused(first.status, f"note 1: {first.problem}", "coder", again)
    body = b",".join(_row(ticket) for ticket in tickets)
    return Response(body if single else b"[" + body + b"]", media_type=JSON)


async def _wait(request: Request, tickets: Sequence[Ticket], deadline: float) -> None:
    """Wait until all is done, time is up (Refused) or the caller hangs up (ClientDisconnect)."""
    loop = asyncio.get_running_loop()
    gone = asyncio.create_task(_hang_up(request))
    try:
        for ticket in tickets:
            while not ticket.outcome.done():
                rest = deadline - loop.time()
                either: set[asyncio.Future[Any]] = {ticket.outcome, gone}
                await asyncio.wait(either, timeout=max(rest, 0), return_when=_FIRST)
                if gone.done():
                    raise ClientDisconnect
                if rest <= 0:
                    problem = "the notes were not coded within the time limit. Send fewer at once."
                    raise Refused(504, problem, "time")
    finally:
        gone.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class NoteStream(StreamingResponse):
    """Answers with a line a note, in order, each as soon as those before it are out.

    Args:
        tickets: Of the notes.
        deadline: By the loop's clock; what is not coded then is told so.
        taken: Closed at the end, however it comes.
    """

    def __init__(self, tickets: Sequence[Ticket], deadline: float, taken: ExitStack) -> None:
        super().__init__(_lines(tickets, deadline), media_type=LINES)
        self._deadline = deadline
        self._taken = taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines, unless the caller does not read them in time."""
        with self._taken:
            try:
                async with asyncio.timeout_at(self._deadline + _LAST_WORDS):
                    await super().__call__(scope, receive, send)
            except TimeoutError:
                log.warning("stream given up: its caller does not read it")


async def _lines(tickets: Sequence[Ticket], deadline: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ready: list[bytes] = []
    for ticket in tickets:
        if not ticket.outcome.done():
            if ready:
                yield b"".join(ready)
                ready = []
            await asyncio.wait({ticket.outcome}, timeout=max(deadline - loop.time(), 0))
        ready += (_row(ticket), b"\n")
    if ready:
        yield b"".join(ready)


def _row(ticket: Ticket) -> bytes:
    if not ticket.outcome.done():
        problem = "it was not coded within the time limit."
    else:
        outcome = ticket.outcome.result()
        if isinstance(outcome, Coded):
            return outcome.line
        problem = outcome.problem
    return UncodedRow(id=ticket.note.id, problem=problem).model_dump_json().encode()
