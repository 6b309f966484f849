"""The responses to notes, and how they are sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from cclearn.service.batching import Ticket
from cclearn.service.bodies import JSON, LINES, BadRow
from cclearn.service.process import Coded, Uncoded
from cclearn.service.refusal import Refused
from cclearn.service.schemas import ErrorKind, RowError, UncodedRow

log = logging.getLogger(__name__)

_RETRY_AFTER = 30
"""`Retry-After` in seconds when the process of a coder was lost."""

HUNG_UP = 499
"""Status that is counted when the client has disconnected. nginx uses the same number."""

_READ_TIME = 5.0
"""Seconds after the time limit in which a client may still read a stream."""


_FIRST = asyncio.FIRST_COMPLETED

_KINDS: dict[int, ErrorKind] = {
    403: "restricted",
    500: "error",
    502: "model",
    503: "worker",
    504: "time",
}
"""Kinds of errors by the status of the response if the note is the only one of the request."""

Entry = Ticket | BadRow
"""A row of a request: the ticket of its note, or the problem of a row that is not a valid note."""


async def whole_answer(
    request: Request, entries: Sequence[Entry], single: bool, deadline: float
) -> Response:
    """Wait for all notes and return the response with them.

    Args:
        request: The request.
        entries: The rows of the request.
        single: Whether the request is one note and not an array.
        deadline: Time of the event loop at which the time limit is over.

    Raises:
        Refused: The time limit is over, or there are valid notes and none of them could be coded.
        ClientDisconnect: The client has disconnected.
    """
    numbered = [(n, entry) for n, entry in enumerate(entries, 1) if isinstance(entry, Ticket)]
    await _wait(request, [ticket for _, ticket in numbered], deadline)
    outcomes = [(number, ticket.outcome.result()) for number, ticket in numbered]
    uncoded = [(number, found) for number, found in outcomes if isinstance(found, Uncoded)]
    if uncoded and len(uncoded) == len(outcomes):
        number, first = uncoded[0]
        retry_after = _RETRY_AFTER if first.status == 503 else None
        raise Refused(first.status, f"note {number}: {first.problem}", "coder", retry_after)
    body = b",".join(map(_row, entries))
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
    """A response with one line for each row, in order. A line is sent when those before it are sent.

    Args:
        entries: The rows of the request.
        deadline: Time of the event loop at which the time limit is over. A note that is not coded
            by then gets a line with the problem.
        taken: Resources of the request, which are released at the end in any case.
    """

    def __init__(self, entries: Sequence[Entry], deadline: float, taken: ExitStack) -> None:
        super().__init__(_lines(entries, deadline), media_type=LINES)
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


async def _lines(entries: Sequence[Entry], deadline: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ready: list[bytes] = []
    for entry in entries:
        if isinstance(entry, Ticket) and not entry.outcome.done():
            if ready:
                yield b"".join(ready)
                ready = []
            await asyncio.wait({entry.outcome}, timeout=max(deadline - loop.time(), 0))
        ready += (_row(entry), b"\n")
    if ready:
        yield b"".join(ready)


def _row(entry: Entry) -> bytes:
    if isinstance(entry, BadRow):
        return _uncoded(entry.id, "contract", entry.problem)
    if not entry.outcome.done():
        return _uncoded(entry.note.id, "time", "it was not coded within the time limit.")
    outcome = entry.outcome.result()
    if isinstance(outcome, Coded):
        return outcome.line
    return _uncoded(entry.note.id, _KINDS[outcome.status], outcome.problem)


def _uncoded(identifier: str | None, kind: ErrorKind, problem: str) -> bytes:
    row = UncodedRow(id=identifier, error=RowError(kind=kind, problem=problem))
    return row.model_dump_json().encode()
