"""Make the screenshot of the review page in the documentation, with the lexicon and a synthetic note.

`python -m tests.review.screenshot` writes `docs/images/review.png`. It needs `make browser`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.notes import Note
from tests.review.browsing import chromium, served
from tests.review.reviews import start
from tests.source_tree import ROOT

IMAGE = ROOT / "docs" / "images" / "review.png"


def main() -> None:
    """Review the example note up to its third code, and write the screenshot."""
    system = CodeSystem.load()
    text = (ROOT / "examples" / "note.txt").read_text(encoding="utf-8")
    coded = Coder.lexicon(system).code(Note(id="visit 1", text=text))
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        session = start(Path(folder), system, [coded])
        with served(session) as address:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(address)
            for key in ("a", "a"):
                page.keyboard.press(key)
                page.evaluate("() => waiting")
                page.wait_for_function("() => !document.body.hasAttribute('aria-busy')")
            page.screenshot(path=IMAGE)


if __name__ == "__main__":
    main()
