"""The routes of the service. Each function adds one route to an application."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Annotated, NamedTuple

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.params import Depends as Dependency
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST

import cclearn
from cclearn.codes import CodeSystem
from cclearn.codes.code_info import CodeInfo, code_info
from cclearn.errors import UnknownCodeError
from cclearn.service.answers import Health, NoteStream, whole_answer
from cclearn.service.batching import Batcher
from cclearn.service.bodies import LINES, Room, parse_notes, read_body, sent_form, wanted_form
from cclearn.service.limits import Limits, ServiceSettings
from cclearn.service.metrics import Metrics
from cclearn.service.openapi import CODED_NOTES, NOTES_BODY, problems
from cclearn.service.process import Loaded
from cclearn.service.refusal import Refused

_MAX_CODE_LENGTH = 40

_BEARER = Depends(
    HTTPBearer(auto_error=False, description="The key from the service's environment.")
)


class KeyCheck(NamedTuple):
    """The check of the key for a route that needs one.

    Attributes:
        dependencies: Dependencies of the route.
        statuses: The HTTP status codes that the check can answer with.
    """

    dependencies: tuple[Dependency, ...] = ()
    statuses: tuple[int, ...] = ()


def key_check(settings: ServiceSettings) -> KeyCheck:
    """Return the check of the key; it checks nothing if the service has no key."""
    if settings.key is None:
        return KeyCheck()
    return KeyCheck((Depends(_require_key(settings.key.get_secret_value())),), (401,))


def _require_key(key: str) -> Callable[..., Awaitable[None]]:
    async def check(shown: Annotated[HTTPAuthorizationCredentials | None, _BEARER]) -> None:
        if shown is None or not secrets.compare_digest(shown.credentials.encode(), key.encode()):
            raise Refused(401, "Authorization: send the key as `Bearer KEY`.", "key")

    return check


def add_code_route(app: FastAPI, batcher: Batcher, limits: Limits, check: KeyCheck) -> None:
    """Add `POST /code`, which codes notes.

    Args:
        app: The application.
        batcher: The batcher that hands notes to coders.
        limits: The limits of the service.
        check: The check of the key.
    """
    room = Room(limits.held_bytes)
    errors = (*check.statuses, 403, 406, 408, 413, 415, 422, 429, 500, 502, 503, 504)

    @app.post(
        "/code",
        dependencies=check.dependencies,
        response_model=None,
        responses={**CODED_NOTES, **problems(*errors)},
        openapi_extra={"requestBody": NOTES_BODY},
    )
    async def code(request: Request) -> Response:
        """Assign codes to notes. Each code has the words of the note that justify it.

        With `Accept: application/x-ndjson` the response has one line for each note, which is sent as
        soon as the note is coded. The line of a note that could not be coded has its `id` and the
        `problem`.
        """
        deadline = asyncio.get_running_loop().time() + limits.time_limit
        with ExitStack() as taken:
            sent = sent_form(request.headers)
            wanted = wanted_form(request.headers, sent)
            batcher.refuse_if_busy()  # Before the body is read: a refusal must be cheap.
            body = await read_body(request, limits, room, taken, deadline)
            notes, single = parse_notes(body, sent, limits.max_notes)
            tickets = batcher.take(notes)
            taken.callback(batcher.drop, tickets)
            if wanted == LINES:
                return NoteStream(tickets, deadline, taken.pop_all())
            return await whole_answer(request, tickets, single, deadline)


def add_code_system_route(app: FastAPI, system: CodeSystem, check: KeyCheck) -> None:
    """Add `GET /codes/{code}`, which describes a code.

    Args:
        app: The application.
        system: The code system that is searched for the code.
        check: The check of the key.
    """

    @app.get(
        "/codes/{code}",
        dependencies=check.dependencies,
        responses=problems(*check.statuses, 403, 404, 422, 500),
    )
    def show_code(
        code: Annotated[
            str,
            Path(
                max_length=_MAX_CODE_LENGTH,
                description="A code in any spelling, a block or a chapter.",
                openapi_examples={"a code": {"value": "I21.4"}},
            ),
        ],
    ) -> CodeInfo:
        """Return a code's status, title, synonyms, notes and neighbours."""
        try:
            return code_info(system, code)
        except UnknownCodeError as error:
            raise Refused(404, str(error), "unknown_code") from None


def add_health_route(app: FastAPI, batcher: Batcher, loaded: Loaded) -> None:
    """Add `GET /healthz`, which reports whether notes are coded.

    Args:
        app: The application.
        batcher: The batcher, which knows its workers and how many notes wait.
        loaded: The model and the code system of the coder.
    """

    @app.get(
        "/healthz",
        responses={503: {"model": Health, "description": "No worker runs."}, **problems(403)},
    )
    async def health(response: Response) -> Health:
        """Return whether notes are coded, the model that codes them and how many notes wait."""
        response.status_code = 200 if batcher.alive else 503
        return Health(
            status="ok" if batcher.alive else "no worker",
            model=loaded.model,
            system=loaded.system,
            release=loaded.release,
            version=cclearn.__version__,
            workers=batcher.alive,
            waiting=batcher.waiting,
        )


def add_metrics_route(app: FastAPI, metrics: Metrics) -> None:
    """Add `GET /metrics`, which shows the metrics.

    Args:
        app: The application.
        metrics: The metrics of the service.
    """

    @app.get("/metrics", response_class=PlainTextResponse, responses=problems(403))
    async def show_metrics() -> Response:
        """Return counts and times in Prometheus' text format."""
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)
