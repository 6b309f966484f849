"""The routes of the service. Each function adds one route to an application."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Annotated, NamedTuple

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.params import Depends as Dependency
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST

import cclearn
from cclearn.codes import CodeSystem
from cclearn.codes.code_info import CodeInfo, code_info
from cclearn.errors import ConfigurationError, UnknownCodeError
from cclearn.notes import Note
from cclearn.service.answers import Entry, NoteStream, whole_answer
from cclearn.service.batching import Batcher
from cclearn.service.bodies import (
    LINES,
    BadRow,
    Room,
    parse_notes,
    read_body,
    sent_form,
    wanted_form,
)
from cclearn.service.limits import Limits, ServiceSettings
from cclearn.service.metrics import Metrics
from cclearn.service.openapi import CODED_NOTES, NOTES_BODY, problems
from cclearn.service.process import Loaded
from cclearn.service.refusal import Refused
from cclearn.service.schemas import FoundCode, Health

_MAX_CODE_LENGTH = 40

_MAX_QUERY_LENGTH = 200

_MAX_FOUND = 100

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


def add_code_route(
    app: FastAPI, batcher: Batcher, limits: Limits, metrics: Metrics, check: KeyCheck
) -> None:
    """Add `POST /code`, which codes notes.

    Args:
        app: The application.
        batcher: The batcher that hands notes to coders.
        limits: The limits of the service.
        metrics: The metrics, which count rows that are not valid notes.
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
    async def code(
        request: Request,
        echo: Annotated[
            bool,
            Query(
                description="Whether the response contains the text of the notes. If it is false,"
                " `text` and `metadata` of a note, `text` of evidence and `quote` of an ungrounded code"
                " are left out. Evidence keeps its offsets."
            ),
        ] = True,
    ) -> Response:
        """Assign codes to notes. Each code has the words of the note that justify it.

        With `Accept: application/x-ndjson` the response has one line for each note, which is sent as
        soon as the note is coded. In a response to several notes, a note that could not be coded has
        its `id` and the `error` in its place, and so has a row that is not a valid note.
        """
        deadline = asyncio.get_running_loop().time() + limits.time_limit
        with ExitStack() as taken:
            sent = sent_form(request.headers)
            wanted = wanted_form(request.headers, sent)
            batcher.refuse_if_busy()  # Before the body is read: a refusal must be cheap.
            body = await read_body(request, limits, room, taken, deadline)
            rows, single = parse_notes(body, sent, limits.max_notes)
            tickets = batcher.take([row for row in rows if isinstance(row, Note)], echo)
            taken.callback(batcher.drop, tickets)
            metrics.bad_rows(len(rows) - len(tickets))
            remaining = iter(tickets)
            entries: list[Entry] = [
                row if isinstance(row, BadRow) else next(remaining) for row in rows
            ]
            if wanted == LINES:
                return NoteStream(entries, deadline, taken.pop_all())
            return await whole_answer(request, entries, single, deadline)


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


def add_search_route(app: FastAPI, system: CodeSystem, check: KeyCheck) -> None:
    """Add `GET /codes`, which searches for codes.

    Args:
        app: The application.
        system: The code system that is searched.
        check: The check of the key.
    """
    # The first search builds the index, which takes seconds. Searches at the same time wait for it
    # instead of building it too.
    indexing = threading.Lock()

    @app.get(
        "/codes",
        dependencies=check.dependencies,
        responses=problems(*check.statuses, 403, 422, 500),
    )
    def search_codes(
        q: Annotated[
            str,
            Query(
                min_length=1,
                max_length=_MAX_QUERY_LENGTH,
                description="Words as clinicians write them, an abbreviation, or a code.",
                openapi_examples={"words": {"value": "heart failure"}},
            ),
        ],
        limit: Annotated[
            int, Query(ge=1, le=_MAX_FOUND, description="Maximum number of codes.")
        ] = 10,
        billable: Annotated[
            bool, Query(description="Whether only billable codes are found.")
        ] = False,
        chapter: Annotated[
            str | None,
            Query(
                max_length=_MAX_CODE_LENGTH,
                description="Chapter (9), range of categories (I00-I99), block or header (I20-I25, I50)"
                " whose codes are found.",
            ),
        ] = None,
    ) -> list[FoundCode]:
        """Return the codes that a text names, the nearest first."""
        try:
            with indexing:
                hits = system.search(q, limit, billable=billable, chapter=chapter)
        except ConfigurationError as error:
            raise Refused(422, str(error), "invalid_request") from None
        return [
            FoundCode(
                code=hit.code.code,
                status=system.status(hit.code.code),
                description=hit.code.description,
                matched=hit.matched,
                score=hit.score,
            )
            for hit in hits
        ]


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
