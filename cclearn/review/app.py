"""The application of the review page: its routes, and who may use them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Annotated
from urllib.parse import parse_qsl

import numpy as np
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

import cclearn
from cclearn.errors import CclearnError
from cclearn.review.actions import change_of
from cclearn.review.log import LogFullError
from cclearn.review.page.frame import (
    POLICY,
    ListedNote,
    Progress,
    list_page,
    login_page,
    message_page,
    note_page,
    other_site_page,
    script,
    stylesheet,
)
from cclearn.review.session import FILTERS, Conflict, Filter, NoteView, Refusal, Session
from cclearn.runtime.loopback import is_loopback
from cclearn.service.access import Access
from cclearn.service.bodies import Room, read_body
from cclearn.service.hosts import Hosts
from cclearn.service.limits import ServiceSettings
from cclearn.service.metrics import Metrics
from cclearn.service.pages import page_headers
from cclearn.service.refusal import Refused
from cclearn.service.routes import KeyCheck, add_code_system_route, add_search_route

_ROWS = 100
"""Number of notes on a page of the list."""

_SESSION, _KEYS = "cclearn_review", "cclearn_keys"
"""Names of the cookies: who has shown the key, and whether keyboard shortcuts are on."""


def _cookie(name: str, request: Request) -> str:
    """Return the name of a cookie with the port, because cookies are those of all ports of a host."""
    server = request.scope.get("server") or ("", 0)
    return f"{name}_{server[1]}"


_COOKIE = {"httponly": True, "samesite": "strict", "path": "/"}


_HEADERS = page_headers(POLICY, "same-origin")


class ReviewPages:
    """The pages of one reviewer's session.

    Args:
        session: The review.
        settings: Settings of the service.
        coder: Name of the coder and the release, for the head of the page.
    """

    def __init__(self, session: Session, settings: ServiceSettings, coder: str) -> None:
        self._session, self._settings, self._coder = session, settings, coder
        # Forms of other sites do not know the token, so a browser cannot be made to send one.
        self._token = secrets.token_urlsafe(32)
        self._login = secrets.token_urlsafe(32)
        self._room = Room(settings.limits.held_bytes)

    def is_known(self, request: Request) -> bool:
        """Return whether a request may read notes."""
        if self._settings.key is None:
            return True
        shown = request.cookies.get(_cookie(_SESSION, request), "")
        return secrets.compare_digest(shown.encode(), self._login.encode())

    async def fields(self, request: Request) -> dict[str, str]:
        """Return the fields of a form.

        Raises:
            Refused: The form is too long, or has not the token of this server.
        """
        fields = await self._form(request)
        token = fields.pop("token", "")
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            problem = "token: the page is of an earlier start of the server. Reload it."
            raise Refused(403, problem, "token")
        return fields

    async def _form(self, request: Request) -> dict[str, str]:
        limits = self._settings.limits
        deadline = asyncio.get_running_loop().time() + limits.time_limit
        with ExitStack() as taken:
            body = await read_body(request, limits, self._room, taken, deadline)
            try:
                return dict(
                    parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
                )
            except ValueError:
                raise Refused(422, "body: it is not a form of this page.", "form") from None

    async def login(self, request: Request) -> Response:
        """Return the response to a form with a key."""
        key = (await self._form(request)).get("key", "")
        expected = self._settings.key.get_secret_value() if self._settings.key else ""
        if not secrets.compare_digest(key.encode(), expected.encode()):
            return self._page(login_page("This is not the key of the service."), 401)
        response = RedirectResponse("/", 303, _HEADERS)
        response.set_cookie(_cookie(_SESSION, request), self._login, **_COOKIE)  # type: ignore[arg-type]
        return response

    def ask_for_key(self) -> Response:
        """Return the page that asks for the key."""
        return self._page(login_page(), 401)

    def next(self) -> Response:
        """Return a redirection to the next note, or a page if there is none."""
        position = self._session.next()
        if position is not None:
            return RedirectResponse(f"/notes/{position + 1}", 303, _HEADERS)
        session = self._session
        is_filtered = session.filter != Filter()
        if blocked := int((session.allowed() & session.blocked & ~session.done).sum()):
            text = f"Notes that cannot be shown: {blocked:,}. The list of notes shows which."
            page = message_page("No other note is left", text, *self._frame(None))
            return self._page(page)
        text = (
            self._about_the_filter()
            if is_filtered
            else "All notes are done. `cclearn review export` writes the training rows."
        )
        return self._page(message_page("No note is left", text, *self._frame(None)))

    def _about_the_filter(self) -> str:
        session = self._session
        text = "No note is left for this filter. Choose another one above."
        if session.filter.kind == "low" and not session.corpus.proposed.has_scores:
            return f"{text} No code has a score."
        if not session.corpus.is_coded and session.filter.kind != "undecided":
            return (
                f"{text} These notes are coded when they are opened, so that filters find no code."
            )
        return text

    def note(self, number: int, request: Request) -> Response:
        """Return the page of a note."""
        return self._attempt(number, request, lambda: self._session.open(number - 1))

    def act(self, number: int, request: Request, fields: Mapping[str, str]) -> Response:
        """Save an action. Return the page of the note after it, or a redirection to the next note."""
        action = fields.get("action", "")

        def save() -> NoteView:
            change = change_of(action, fields)
            return self._session.act(number - 1, int(fields.get("seen", "-1")), change)

        if action == "done":
            following = RedirectResponse("/", 303, _HEADERS)
            return self._attempt(number, request, save, following)
        return self._attempt(number, request, save)

    def filtered(self, fields: Mapping[str, str]) -> Response:
        """Choose a filter, and return a redirection to the next note."""
        kind, code = fields.get("kind", "all"), fields.get("code", "").strip().upper()
        if kind in FILTERS:
            self._session.filter = Filter(kind, code[:20])
        return RedirectResponse("/", 303, _HEADERS)

    def switched(self, fields: Mapping[str, str], request: Request) -> Response:
        """Turn the keyboard shortcuts on or off."""
        response = RedirectResponse("/", 303, _HEADERS)
        value = "off" if fields.get("keys") == "off" else "on"
        response.set_cookie(_cookie(_KEYS, request), value, max_age=31_536_000, **_COOKIE)  # type: ignore[arg-type]
        return response

    def listed(self, page: int, request: Request) -> Response:
        """Return a page of the list of notes."""
        session = self._session
        allowed = np.flatnonzero(session.allowed())
        pages = max(1, -(-len(allowed) // _ROWS))
        page = min(page, pages)
        counts = np.diff(session.corpus.proposed.starts)
        shows_counts = session.corpus.is_coded and session.candidates is None
        hidden = session.without_proposals
        rows = [
            ListedNote(
                int(position),
                session.corpus.ids[position],
                self._state(int(position)),
                int(counts[position]) if shows_counts and not hidden[position] else None,
            )
            for position in allowed[(page - 1) * _ROWS : page * _ROWS]
        ]
        return self._page(list_page(rows, page, pages, *self._frame(request)))

    def _state(self, position: int) -> str:
        session = self._session
        if session.blocked[position]:
            return "cannot be shown"
        return "done" if session.done[position] else "begun" if session.opened[position] else ""

    def _attempt(
        self,
        number: int,
        request: Request,
        work: Callable[[], NoteView],
        response: Response | None = None,
    ) -> Response:
        """Return the page of a note after some work, or after the reason why it was not done."""
        session, problem, status = self._session, "", 200
        view: NoteView | None
        if not 1 <= number <= len(session.corpus):
            raise Refused(404, "note: there is no note with this number.", "note")
        try:
            view = work()
            if response is not None:
                return response
        except ValueError:
            raise Refused(422, "seen: it is not a number. Reload the page.", "form") from None
        except CclearnError as error:
            problem, status = str(error), _status_of(error)
            try:
                view = session.view(number - 1)
            except CclearnError:
                view = None
            if view is None or not view.state.events:
                page = message_page("The note cannot be shown", problem, *self._frame(request))
                return self._page(page, status)
        frame = self._frame(request)
        return self._page(note_page(view, session.system, *frame, problem=problem), status)

    def _frame(self, request: Request | None) -> tuple[Progress, str, bool, Filter]:
        session = self._session
        candidates = session.candidates
        total = len(session.corpus) if candidates is None else int(candidates.sum())
        progress = Progress(int(session.done.sum()), total, session.log.reviewer, self._coder)
        keys = request is None or request.cookies.get(_cookie(_KEYS, request)) != "off"
        return progress, self._token, keys, session.filter

    def _page(self, content: str, status: int = 200) -> Response:
        return HTMLResponse(content, status, _HEADERS)


def _status_of(error: CclearnError) -> int:
    if isinstance(error, Conflict):
        return 409
    if isinstance(error, LogFullError):
        return 507
    return 422 if isinstance(error, Refusal) else 500


def make_review_app(session: Session, settings: ServiceSettings, coder: str) -> FastAPI:
    """Return the application of a review.

    Args:
        session: The review.
        settings: Settings of the service.
        coder: Name of the coder and the release, for the head of the page.
    """
    app = FastAPI(
        title="cclearn review",
        version=cclearn.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    metrics = Metrics()
    names = settings.allow_host + (() if is_loopback(settings.host) else (settings.host,))
    app.add_middleware(Hosts, allowed=names, metrics=metrics)
    app.add_middleware(Access, metrics=metrics)
    pages = ReviewPages(session, settings, coder)

    class Unknown(Exception):
        """The client has not shown the key."""

    class OtherSite(Exception):
        """A page of another site has sent the request."""

    async def known(request: Request) -> None:
        # An image of another site would otherwise open notes, because it sends no Origin.
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise OtherSite
        if not pages.is_known(request):
            raise Unknown

    @app.exception_handler(OtherSite)
    async def refuse_other_site(request: Request, error: OtherSite) -> Response:
        metrics.refused("origin")
        return HTMLResponse(other_site_page(), 403, _HEADERS)

    needs_key = [Depends(known)]

    @app.exception_handler(Unknown)
    async def ask(request: Request, error: Unknown) -> Response:
        return pages.ask_for_key()

    @app.exception_handler(Refused)
    async def refuse(request: Request, refused: Refused) -> Response:
        metrics.refused(refused.reason)
        return Response(refused.problem, refused.status, _HEADERS, "text/plain")

    @app.exception_handler(RequestValidationError)
    async def refuse_parameters(request: Request, error: RequestValidationError) -> Response:
        return Response("The address is not one of this page.", 422, _HEADERS, "text/plain")

    @app.get("/review.js")
    async def show_script() -> Response:
        return Response(script(), 200, _HEADERS, "text/javascript")

    @app.get("/review.css")
    async def show_stylesheet() -> Response:
        return Response(stylesheet(), 200, _HEADERS, "text/css")

    @app.post("/login")
    async def login(request: Request) -> Response:
        return await pages.login(request)

    @app.get("/", dependencies=needs_key)
    async def show_next() -> Response:
        return await run_in_threadpool(pages.next)

    @app.get("/list", dependencies=needs_key)
    async def show_list(
        request: Request, page: Annotated[int, Query(ge=1, le=10_000_000)] = 1
    ) -> Response:
        return await run_in_threadpool(pages.listed, page, request)

    @app.get("/notes/{number}", dependencies=needs_key)
    async def show_note(request: Request, number: int) -> Response:
        return await run_in_threadpool(pages.note, number, request)

    @app.post("/notes/{number}", dependencies=needs_key)
    async def act(request: Request, number: int) -> Response:
        fields = await pages.fields(request)
        return await run_in_threadpool(pages.act, number, request, fields)

    @app.post("/filter", dependencies=needs_key)
    async def choose_filter(request: Request) -> Response:
        return pages.filtered(await pages.fields(request))

    @app.post("/keys", dependencies=needs_key)
    async def switch_keys(request: Request) -> Response:
        return pages.switched(await pages.fields(request), request)

    check = KeyCheck(tuple(needs_key))
    add_search_route(app, session.system, check)
    add_code_system_route(app, session.system, check)
    return app
