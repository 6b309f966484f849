"""The routes that return pages for a browser. They need no key, because the pages contain no data."""

from __future__ import annotations

from functools import cache

from fastapi import FastAPI, Response

from cclearn.service.docs_page import make_docs_page
from cclearn.service.note_page import make_note_page
from cclearn.service.pages import Page
from cclearn.service.process import Loaded


def add_page_routes(app: FastAPI, loaded: Loaded, has_key: bool) -> None:
    """Add `GET /`, on which a note is coded, and `GET /docs`, which documents the routes.

    Args:
        app: The application.
        loaded: The model and the code system of the coder.
        has_key: Whether the service has a key.
    """
    note_page = make_note_page(loaded, has_key)

    @cache  # When it is first read, because the document must contain all routes.
    def docs_page() -> Page:
        return make_docs_page(app.openapi())

    @app.get("/", include_in_schema=False)
    async def show_note_page() -> Response:
        """Return the page on which a note is coded."""
        return note_page.response()

    @app.get("/docs", include_in_schema=False)
    async def show_docs_page() -> Response:
        """Return the page that documents the routes."""
        return docs_page().response()
