"""Limits on connections: their number, the length of a head, and the time to send and to read."""

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
"""Maximum number of headers. Each takes extra memory. Browsers and proxies send about 30."""


_MOST_WAITING = 100
"""Maximum number of requests of a connection that wait for the response to an earlier one."""


class _BeyondLimit(Exception):
    """Stops the parser of a connection."""


class Connection(HttpToolsProtocol):
    """A connection of uvicorn with limits that uvicorn does not have.

    uvicorn reads heads of any length and waits for the rest of a head without end. Its own limit on
    connections refuses requests on connections that were open before.

    Args:
        config: Configuration of uvicorn.
        server_state: State of the server, which uvicorn shares among its connections.
        app_state: State of the application, which uvicorn passes on.
        limits: Limits of the service.
        metrics: Metrics that count refusals.
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
        """Accept the connection, or refuse it if there are too many. The others are not affected."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            self.connections.discard(self)
            self._refuse(
                503, "the service has as many connections as it may. Try again.", "connections"
            )
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        for timer in (self._deadline, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, and refuse a header or a trailer without an end."""
        self._parsed = False
        super().data_received(data)
        # The parser keeps an incomplete element, and reports it only when it is complete.
        self._unparsed_size = 0 if self._parsed else self._unparsed_size + len(data)
        if self._unparsed_size > self._limits.head_bytes and not self.transport.is_closing():
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_size = self._headers = 0
        self._head_begun = True

    def on_url(self, url: bytes) -> None:
        """Receive a part of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header, or a trailer of a chunked body."""
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
        """Receive a part of the body."""
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
        """Answer a request that cannot be parsed."""
        if not self._is_beyond_limit:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Wait for a client that does not read its response, until the time limit is over."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._limits.time_limit, self.transport.abort)

    def resume_writing(self) -> None:
        """Continue, because the client reads again."""
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
        """Set the time limit for the next head, whatever the client sends meanwhile."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self._limits.head_time, self._give_up)

    def _give_up(self) -> None:
        if self.transport.is_closing():
            self._abort_later()
        elif self._head_begun:
            problem = f"the head was incomplete after {self._limits.head_time:g} s."
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
        """Answer instead of the application, and close the connection."""
        self._metrics.refused(reason)
        # Not in the middle of the response to an earlier request.
        if self.cycle is None or self.cycle.response_complete:
            body = json.dumps({"detail": problem}).encode()
            retry_after = "Retry-After: 1\r\n" if status == 503 else ""
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n{retry_after}Connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        """End the connection if the client does not read the rest within the time limit."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self._limits.time_limit, self.transport.abort)
