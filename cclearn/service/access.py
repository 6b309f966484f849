"""Middleware that logs and counts each request, and that turns errors into responses."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cclearn.errors import type_and_location
from cclearn.service.metrics import Metrics

log = logging.getLogger(__name__)

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Access:
    """Logs the method, route, status and duration of each request.

    Paths and query strings are not logged, because they may contain anything. An error is logged by its
    type and its location in the source, because its message might quote a note.

    Args:
        app: Application that answers the requests.
        metrics: Metrics that count the requests.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.perf_counter()
        status = 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except (Exception, asyncio.CancelledError) as error:
            log.error("request failed: %s", type_and_location(error))
            if not status:
                problem = f"the service failed ({type(error).__name__}). Its log says where."
                await JSONResponse({"detail": problem}, 500)(scope, receive, note_status)
        seconds = time.perf_counter() - started
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.request(route, status, seconds)
        log.info("%s %s %d %.1f ms", method, route, status, 1000 * seconds)
