"""Measure the review page in Chromium, with Playwright (`python -m benchmarks.review page`)."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.jsonl import write_rows


def large_note(words: int, pieces: int) -> CodedNote:
    """Return a note with many words and pieces of evidence, of which some overlap."""
    vocabulary = (
        "patient admitted with acute fever and chronic cough, denies pain; blood pressure".split()
    )
    text = " ".join(vocabulary[n % len(vocabulary)] for n in range(words))
    codes = [
        "R50.9",
        "R05.9",
        "I10",
        "E11.9",
        "J18.9",
        "I50.9",
        "N39.0",
        "K21.9",
        "M54.50",
        "R07.9",
    ]
    step = len(text) // pieces
    spans = [(n * step, n * step + (12 if n % 5 else step + 5)) for n in range(pieces)]
    return CodedNote(
        id="large",
        text=text,
        codes=[
            AssignedCode(
                code=code,
                evidence=[
                    Evidence(start=start, end=end, text=text[start:end])
                    for start, end in spans[number :: len(codes)]
                    if end <= len(text)
                ],
            )
            for number, code in enumerate(codes)
        ],
    )


class Review:
    """A running `cclearn review`.

    Args:
        notes: File of the notes.
        folder: Folder of the review.
    """

    def __init__(self, notes: Path, folder: Path) -> None:
        command = [sys.executable, "-m", "cclearn", "review", str(notes), "--out", str(folder)]
        command += ["--reviewer", "benchmark", "--port", "0", "--without-proposals", "0"]
        started = time.perf_counter()
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        self.seconds = time.perf_counter() - started
        self.address = "http" + line.strip().rpartition("http")[2]
        self.first_line = line

    def mebibytes(self) -> float:
        """Return the resident memory of the process."""
        return psutil.Process(self._process.pid).memory_info().rss / 2**20

    def stop(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait()


FRAMES = """async (distance) => {
  const deltas = [];
  let last = performance.now();
  for (let n = 0; n < 120; n++) {
    scrollBy(0, distance);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    deltas.push(now - last);
    last = now;
  }
  return deltas;
}"""

SELECTIONS = """() => {
  const times = [];
  const length = note().textContent.length;
  for (let n = 0; n < 50; n++) {
    const start = Math.floor(length * n / 51);
    const begun = performance.now();
    getSelection().setBaseAndExtent(...place(start), ...place(start + 20));
    readSelection();
    times.push(performance.now() - begun);
  }
  return times;
}"""


def summary(values: list[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the maximum of milliseconds."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "maximum": round(ordered[-1], 1),
    }


def page() -> dict[str, Any]:
    """Return the times of the page in Chromium, in milliseconds."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        small = [large_note(300, 10).model_copy(update={"id": f"n{n}"}) for n in range(60)]
        write_rows(folder / "small.jsonl", small)
        review = Review(folder / "small.jsonl", folder / "small")
        window = browser.new_page(viewport={"width": 1400, "height": 900})
        visible = []
        for _ in range(10):
            begun = time.perf_counter()
            window.goto(review.address)
            window.wait_for_selector("#note mark")
            visible.append(1000 * (time.perf_counter() - begun))
        found["first_note_visible_ms"] = summary(visible)
        decisions, shown = [], []
        for number in range(50):
            key = f"p{number % 10}"
            begun = time.perf_counter()
            window.locator(f"li[data-key={key}] button[value=accept]").click()
            window.evaluate("() => waiting")
            shown.append(1000 * (time.perf_counter() - begun))
            timing = "performance.getEntriesByType('resource').at(-1)"
            decisions.append(window.evaluate(f"() => {timing}.responseEnd - {timing}.startTime"))
            window.evaluate("() => performance.clearResourceTimings()")
        found["decision_saved_ms"] = summary(decisions)
        found["decision_shown_ms"] = summary(shown)
        review.stop()

        write_rows(folder / "large.jsonl", [large_note(10_000, 200)])
        review = Review(folder / "large.jsonl", folder / "large")
        window.goto(review.address)
        window.wait_for_selector("#note mark")
        found["large_note"] = {
            "words": 10_000,
            "pieces": window.locator("#note mark").count(),
            "frame_while_scrolling_ms": summary(window.evaluate(FRAMES, 200)),
            "selection_ms": summary(window.evaluate(SELECTIONS)),
        }
        decisions = []
        for number in range(20):
            begun = time.perf_counter()
            window.locator(f"li[data-key=p{number % 10}] button[value=accept]").click()
            window.evaluate("() => waiting")
            decisions.append(1000 * (time.perf_counter() - begun))
        found["large_note"]["decision_shown_ms"] = summary(decisions)
        review.stop()
        browser.close()

        lines = []
        base = json.loads(large_note(400, 12).model_dump_json())
        for number in range(100_000):
            lines.append(json.dumps({**base, "id": f"note-{number}"}) + "\n")
        (folder / "many.jsonl").write_text("".join(lines))
        size = (folder / "many.jsonl").stat().st_size
        del lines
        review = Review(folder / "many.jsonl", folder / "many")
        found["many_notes"] = {
            "notes": 100_000,
            "mib": round(size / 2**20),
            "start_seconds": round(review.seconds, 2),
            "resident_mib": round(review.mebibytes()),
        }
        review.stop()
        review = Review(folder / "small.jsonl", folder / "small-again")
        found["few_notes"] = {
            "notes": len(small),
            "start_seconds": round(review.seconds, 2),
            "resident_mib": round(review.mebibytes()),
        }
        review.stop()
    return found
