"""What the review page allows in a real browser: accessibility, the origin, and two windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cclearn.codes import CodeSystem
from tests.review.browsing import press, served
from tests.review.reviews import TEXT, code, coded_note, start

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(
    browser: Any, tmp_path: Path, system: CodeSystem, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    flagged = code(TEXT, "R50.9", "fever", score=0.2, flags=["rule: x"], decision="review")
    notes = [
        coded_note(codes=[*coded_note().codes, flagged]),
        coded_note("n2", flags=["text: odd"]),
    ]
    session = start(tmp_path, system, notes)
    with served(session) as address:
        # axe is run by the browser itself, which the policy of the page would forbid.
        context = browser.new_context(color_scheme=scheme, bypass_csp=True)
        page = context.new_page()
        for path in ("/", "/list", "/notes/2"):
            page.goto(address + path)
            if path != "/list":
                press(page, "a", "c", "Escape", "?")
            found = axe.run(page)
            assert found.violations_count == 0, found.generate_report()
        context.close()


def test_nothing_leaves_the_origin_and_nothing_in_a_note_runs(
    page: Any, tmp_path: Path, system: CodeSystem
) -> None:
    text = "<script>document.title='x'</script><img src=x onerror=alert(1)> fever"
    session = start(
        tmp_path, system, [coded_note(text=text, codes=[code(text, "R50.9", "<img src=x")])]
    )
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail("a note has run a script"))
    with served(session) as address:

        def only_here(route: Any) -> None:
            if route.request.url.startswith(address):
                route.continue_()
            else:
                route.abort()

        page.route("**", only_here)
        page.goto(address)
        press(page, "a", "c")
        page.keyboard.type("fever")
        page.wait_for_selector("[role=option]")
        press(page, "Escape", "Escape")
        page.goto(f"{address}/list")
        assert requests
        assert [url for url in requests if not url.startswith(address)] == []
        page.goto(f"{address}/notes/1")
        assert page.title() == "n1 · review"
        blocked = page.evaluate(
            "() => { try { const s = document.createElement('script'); s.textContent = 'window.ran=1';"
            " document.body.append(s); } catch {} return window.ran === undefined; }"
        )
        assert blocked


def test_two_windows(browser: Any, tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    with served(session) as address:
        one, other = (browser.new_page() for _ in range(2))
        for window in (one, other):
            window.goto(f"{address}/notes/1")
        press(one, "a")
        press(other, "x")
        assert "changed in another window" in other.inner_text("#problem")
        assert session.open(0).state.entries["p0"].verdict == "accept"
        press(other, "x")  # The page shows what is saved, and the action is possible now.
        assert "reject" in {entry.verdict for entry in session.open(0).state.entries.values()}
        one.close()
        other.close()
