"""A browser, and the server of a review in a thread, for tests."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cclearn.review.app import make_review_app
from cclearn.review.session import Session
from cclearn.service.limits import ServiceSettings
from cclearn.service.listening import Server, configuration, listen, url_of
from cclearn.service.metrics import Metrics


@contextmanager
def served(session: Session) -> Iterator[str]:
    """Serve the pages of a session, and yield the address."""
    settings = ServiceSettings(port=0)
    listener = listen(settings, "review")
    app = make_review_app(session, settings, "lexicon, icd10cm")
    server = Server(configuration(app, settings, Metrics()))

    def run() -> None:
        asyncio.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()
        session.log.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield Debian's Chromium. The test is skipped if it or Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is missing")
    with playwright.sync_playwright() as started:
        # A sandbox needs privileges that containers do not have.
        # No name resolves, so that nothing can leave the machine unnoticed.
        offline = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", offline])
        try:
            yield browser
        finally:
            browser.close()


def settled(page: Any) -> None:
    """Wait until all actions are answered."""
    page.evaluate("() => waiting")
    page.wait_for_function("() => !document.body.hasAttribute('aria-busy')")


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        settled(page)
