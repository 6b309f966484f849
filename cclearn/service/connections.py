"""Limits on connections: their number, the length of a head, and how slowly a peer may send and read."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from cclearn.service.limits import Limits
from cclearn.service.metrics import Metrics

_MOST_HEADERS = 100
"""Each costs more memory than its bytes; browsers and proxies send about 30."""


_MOST_WAITING = 100
"""The limit on requests of a connection that wait for the answer to the one before: uvicorn reads on."""


class _BeyondLimit(Exception):
    """Ends the parser's work on a connection."""


class Connection(HttpToolsProtocol):
    """A connection of uvicorn with the limits that uvicorn does not have.

    uvicorn reads heads of any length, waits for the rest of a head without end, and with its own limit
    on connections refuses requests on those that were there before.

    Args:
        config: The configuration of uvicorn.
        server_state: The state of the server that uvicorn shares among its connections.
        app_state: The state of the application that uvicorn passes on.
        limits: The limits of the service.
        metrics: Where refusals are counted.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._metrics = metrics
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._head_size = self._headers = 0
        self._head_begun = False
        self._is_beyond_limit = False
        self._parsed = False
        self._unparsed_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it where there are too many; those before it are not harmed."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            self.connections.discard(self)
            self._refuse(
                503, "the service has as many connections as it may. Try again.", "connections"
            )
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        for clock in (self._deadline, self._stalled):
            if clock is not None:
                clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was received, and refuse a header or a trailer that has no end."""
        self._parsed = False
        super().data_received(data)
        # The parser keeps what is not yet whole, and tells of it only when it is.
        self._unparsed_size = 0 if self._parsed else self._unparsed_size + len(data)
        if self._unparsed_size > self._limits.head_bytes and not self.transport.is_closing():
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_size = self._headers = 0
        self._head_begun = True

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or what a chunked body has after its end."""
        self._headers += 1
        self._count(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        self._head_begun = False
        if self._deadline is not None:
            self._deadline.cancel()
        if len(self.pipeline) >= _MOST_WAITING:
            self._is_beyond_limit = True
            self._refuse(429, "too many requests of the connection wait.", "pipeline")
            raise _BeyondLimit
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._parsed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._parsed = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, or for the end of the connection."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_later()
        elif self.timeout_keep_alive_task is not None:
            self._expect_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed."""
        if not self._is_beyond_limit:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Wait for a peer that does not read what it is sent, for as long as a request may take."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._limits.time_limit, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the peer reads."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def _count(self, size: int) -> None:
        self._parsed = True
        self._head_size += size
        if self._head_size > self._limits.head_bytes or self._headers > _MOST_HEADERS:
            self._is_beyond_limit = True
            self._refuse_head()
            raise _BeyondLimit

    def _expect_head(self) -> None:
        """Give the peer some seconds until the next head is whole, whatever it sends meanwhile."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self._limits.head_time, self._give_up)

    def _give_up(self) -> None:
        if self.transport.is_closing():
            self._abort_later()
        elif self._head_begun:
            problem = f"the head was not whole after {self._limits.head_time:g} s."
            self._refuse(408, problem, "head_time")
        else:
            self.transport.close()
            self._abort_later()

    def _refuse_head(self) -> None:
        problem = (
            f"the head has more than {self._limits.max_head:g} KiB or {_MOST_HEADERS} headers. Send a"
            " shorter one."
        )
        self._refuse(431, problem, "head_size")

    def _refuse(self, status: int, problem: str, reason: str) -> None:
        """Answer in the place of the application, and close."""
        self._metrics.refused(reason)
        # Not into the midst of the answer to an earlier request.
        if self.cycle is None or self.cycle.response_complete:
            body = json.dumps({"detail": problem}).encode()
            again = "Retry-After: 1\r\n" if status == 503 else ""
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n{again}Connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        """End a connection that waits for its peer to read the rest."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self._limits.time_limit, self.transport.abort)
