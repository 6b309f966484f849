"""The responses of the service: their schemas, and how they are sent."""

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

_RETRY_AFTER = 30
"""`Retry-After` in seconds when the process of a coder was lost."""

HUNG_UP = 499
"""Status that is counted when the client has disconnected. nginx uses the same number."""

_READ_TIME = 5.0
"""Seconds after the time limit in which a client may still read a stream."""


_FIRST = asyncio.FIRST_COMPLETED


class NoteRow(Note):
    """A note in a request."""

    schema_version: Literal[1] = 1


class CodedRow(CodedNote):
    """A coded note in a response."""

    schema_version: Literal[1] = 1


class UncodedRow(BaseModel):
    """A note that could not be coded, in a response to several notes."""

    id: str
    problem: str = Field(description="Contains no text of the note.")


class Problem(BaseModel):
    """The body of an error response. It contains no text of a note."""

    detail: str


class Health(BaseModel):
    """The state of the service."""

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
    """Wait for all notes and return the response with them.

    Args:
        request: The request.
        tickets: Tickets of its notes.
        single: Whether the request is one note and not an array.
        deadline: Time of the event loop at which the time limit is over.

    Raises:
        Refused: The time limit is over, or no note could be coded.
        ClientDisconnect: The client has disconnected.
    """
    await _wait(request, tickets, deadline)
    outcomes = [ticket.outcome.result() for ticket in tickets]
    uncoded = [outcome for outcome in outcomes if isinstance(outcome, Uncoded)]
    if uncoded and len(uncoded) == len(outcomes):
        first = uncoded[0]
        retry_after = _RETRY_AFTER if first.status == 503 else None
        raise Refused(first.status, f"note 1: {first.problem}", "coder", retry_after)
    body = b",".join(_row(ticket) for ticket in tickets)
    return Response(body if single else b"[" + body + b"]", media_type=JSON)


async def _wait(request: Request, tickets: Sequence[Ticket], deadline: float) -> None:
    """Wait until all notes are coded. Raise Refused or ClientDisconnect if that does not happen."""
    loop = asyncio.get_running_loop()
    disconnected = asyncio.create_task(_wait_for_disconnect(request))
    try:
        for ticket in tickets:
            while not ticket.outcome.done():
                remaining = deadline - loop.time()
                either: set[asyncio.Future[Any]] = {ticket.outcome, disconnected}
                await asyncio.wait(either, timeout=max(remaining, 0), return_when=_FIRST)
                if disconnected.done():
                    raise ClientDisconnect
                if remaining <= 0:
                    problem = "the notes were not coded within the time limit. Send fewer at once."
                    raise Refused(504, problem, "time")
    finally:
        disconnected.cancel()


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class NoteStream(StreamingResponse):
    """A response with one line for each note, in order. A line is sent when those before it are sent.

    Args:
        tickets: Tickets of the notes.
        deadline: Time of the event loop at which the time limit is over. A note that is not coded
            by then gets a line with the problem.
        taken: Resources of the request, which are released at the end in any case.
    """

    def __init__(self, tickets: Sequence[Ticket], deadline: float, taken: ExitStack) -> None:
        super().__init__(_lines(tickets, deadline), media_type=LINES)
        self._deadline = deadline
        self._taken = taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines, and give up if the client does not read them in time."""
        with self._taken:
            try:
                async with asyncio.timeout_at(self._deadline + _READ_TIME):
                    await super().__call__(scope, receive, send)
            except TimeoutError:
                log.warning("stream given up: the client does not read it")


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
