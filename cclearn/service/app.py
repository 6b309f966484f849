"""The routes of the service."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import ClientDisconnect

import cclearn
from cclearn.codes import CodeSystem
from cclearn.codes.facts import CodeFacts, code_facts
from cclearn.errors import UnknownCodeError
from cclearn.runtime.loopback import is_loopback
from cclearn.service.access import Access
from cclearn.service.answers import (
    HUNG_UP,
    CodedRow,
    Health,
    NoteRow,
    NoteStream,
    Problem,
    UncodedRow,
    whole_answer,
)
from cclearn.service.batching import Batcher
from cclearn.service.bodies import JSON, LINES, Room, read_body, read_notes, sent_form, wanted_form
from cclearn.service.hosts import Hosts
from cclearn.service.limits import ServiceSettings
from cclearn.service.metrics import Metrics
from cclearn.service.process import Loaded
from cclearn.service.refusal import Refused

_LONGEST_CODE = 40

_BEARER = Depends(HTTPBearer(auto_error=False, description="The key in the service's environment."))

_REASONS = {
    401: "The key is missing or wrong.",
    403: "`Host` or `Origin` is not of this service; or the text is restricted, and the model is on"
    " another machine.",
    404: "The release does not hold the code.",
    406: "None of the forms that the answer can have is wanted.",
    408: "The body was not whole within the time limit.",
    413: "The body is too long, or its notes are too many.",
    415: "The body's form is none that is read.",
    422: "The request is not what it should be.",
    429: "Too much is waiting. `Retry-After` says for how many seconds.",
    500: "The service or its coder failed.",
    502: "The model, or the server behind the coder, gave no answer.",
    503: "No coder is running.",
    504: "The time limit is over.",
}


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": _REASONS[status]} for status in statuses
    }
    for status in {429, 503}.intersection(statuses):
        header = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
        found[status]["headers"] = {"Retry-After": header}
    return found


_NOTE = NoteRow.model_json_schema()


_NOTES = {"type": "array", "items": _NOTE}

_REQUEST_BODY = {
    "required": True,
    "description": "One note, several, or several as lines. No id stands twice.",
    "content": {
        JSON: {"schema": {"anyOf": [_NOTE, _NOTES]}},
        LINES: {"schema": {"type": "string", "description": "A note a line."}},
    },
}


_CODED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": CodedRow | list[CodedRow | UncodedRow],
        "description": "One coded note for one note; else all in order, as an array or as lines.",
        "content": {LINES: {"schema": {"type": "string"}}},
    }
}


def make_app(
    settings: ServiceSettings,
    system: CodeSystem,
    loaded: Loaded,
    batcher: Batcher,
    metrics: Metrics,
) -> FastAPI:
    """Return the application.

    Args:
        settings: Of the service.
        system: For `/codes`; the coder's.
        loaded: What the coder is.
        batcher: Hands notes to coders.
        metrics: Where everything is counted.
    """
    # No pages of documentation: they would load scripts from elsewhere.
    app = FastAPI(
        title="cclearn",
        version=cclearn.__version__,
        description="Assigns ICD codes to clinical notes, with the words that justify each.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    # On loopback, an origin that is allowed by name alone would be every port of this machine.
    names = settings.allow_host + (() if is_loopback(settings.host) else (settings.host,))
    app.add_middleware(Hosts, allowed=names, metrics=metrics)
    app.add_middleware(Access, metrics=metrics)  # The outermost: it counts every request.
    limits = settings.limits
    room = Room(limits.held_bytes)
    guarded = [Depends(_key_check(settings.key.get_secret_value()))] if settings.key else []
    unauthorised = (401,) if settings.key else ()

    @app.exception_handler(Refused)
    async def refuse(request: Request, refused: Refused) -> Response:
        metrics.refused(refused.reason)
        return JSONResponse({"detail": refused.problem}, refused.status, refused.headers)

    @app.exception_handler(ClientDisconnect)
    async def nobody_is_there(request: Request, gone: Exception) -> Response:
        metrics.refused("hung_up")
        return Response(status_code=HUNG_UP)

    @app.exception_handler(RequestValidationError)
    async def refuse_parameters(request: Request, error: RequestValidationError) -> Response:
        # FastAPI's own answer would hold the value.
        problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
        return JSONResponse({"detail": "\n".join(problems)}, 422)

    @app.post(
        "/code",
        dependencies=guarded,
        response_model=None,
        responses={
            **_CODED,
            **_answers(*unauthorised, 403, 406, 408, 413, 415, 422, 429, 500, 502, 503, 504),
        },
        openapi_extra={"requestBody": _REQUEST_BODY},
    )
    async def code(request: Request) -> Response:
        """Code notes: every code with the words of the note that justify it.

        With `Accept: application/x-ndjson` the notes come as lines, each as soon as it is coded. A note
        that could not be coded is a line of its `id` and the `problem`.
        """
        deadline = asyncio.get_running_loop().time() + limits.time_limit
        with ExitStack() as taken:
            sent = sent_form(request.headers)
            wanted = wanted_form(request.headers, sent)
            batcher.refuse_if_busy()  # Before anything is read: a refusal shall cost little.
            body = await read_body(request, limits, room, taken, deadline)
            notes, single = read_notes(body, sent, limits.max_notes)
            tickets = batcher.take(notes)
            taken.callback(batcher.drop, tickets)
            if wanted == LINES:
                return NoteStream(tickets, deadline, taken.pop_all())
            return await whole_answer(request, tickets, single, deadline)

    @app.get(
        "/codes/{code}",
        dependencies=guarded,
        responses=_answers(*unauthorised, 403, 404, 422, 500),
    )
    def show_code(
        code: Annotated[
            str,
            Path(
                max_length=_LONGEST_CODE,
                description="In any spelling; a block or a chapter.",
                openapi_examples={"a code": {"value": "I21.4"}},
            ),
        ],
    ) -> CodeFacts:
        """Tell a code's status, title, synonyms, notes and neighbours."""
        try:
            return code_facts(system, code)
        except UnknownCodeError as error:
            raise Refused(404, str(error), "unknown_code") from None

    @app.get(
        "/healthz",
        responses={503: {"model": Health, "description": "No worker runs."}, **_answers(403)},
    )
    async def health(response: Response) -> Health:
        """Tell whether notes are coded, by what, and how many wait."""
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

    @app.get("/metrics", response_class=PlainTextResponse, responses=_answers(403))
    async def show_metrics() -> Response:
        """Show counts and times in Prometheus' text format."""
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return app


def _key_check(key: str) -> Callable[..., Awaitable[None]]:
    async def check(shown: Annotated[HTTPAuthorizationCredentials | None, _BEARER]) -> None:
        if shown is None or not secrets.compare_digest(shown.credentials.encode(), key.encode()):
            raise Refused(401, "Authorization: show the key, as `Bearer KEY`.", "key")

    return check
