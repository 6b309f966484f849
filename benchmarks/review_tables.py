"""The tables of `docs/review.md` from the results."""

from __future__ import annotations

from statistics import mean
from typing import Any

from benchmarks.markdown import table
from benchmarks.measure import RESULTS
from cclearn.runtime.parsing import read_json


def orders_table() -> str:
    """Return the notes and minutes that each order needs to reach the target, by language."""
    found = read_json(RESULTS / "review.json")["orders"]
    rows = []
    for language, result in sorted(found.items()):
        name = {"en": "English", "es": "Spanish"}[language]
        target = f"{name}, micro F1 {result['target_micro_f1']:.3f}"
        for order, needed in result["needed"].items():
            rows.append(
                [target, f"`{order}`", *(_needed(needed[by]) for by in ("notes", "minutes"))]
            )
    return table(["corpus and target", "order", "notes", "minutes"], rows)


def _needed(values: list[float | None]) -> str:
    """Return the mean over seeds with the range. Seeds that never reach the target are counted."""
    reached = [value for value in values if value is not None]
    if not reached:
        return "not reached"
    missing = f", not reached by {len(values) - len(reached)}" if len(reached) < len(values) else ""
    return f"{mean(reached):,.0f} ({min(reached):,.0f}–{max(reached):,.0f}{missing})"


def page_table() -> str:
    """Return the times of the page."""
    found = read_json(RESULTS / "review.json")["page"]
    large, many = found["large_note"], found["many_notes"]

    def times(summary: dict[str, Any]) -> str:
        return f"{summary['median']:.1f} ms, at most {summary['maximum']:.1f} ms"

    rows = [
        ["first note visible after the request", times(found["first_note_visible_ms"])],
        ["decision saved", times(found["decision_saved_ms"])],
        ["decision shown", times(found["decision_shown_ms"])],
        [
            "note of 10,000 words with 200 pieces of evidence: a frame while it scrolls",
            times(large["frame_while_scrolling_ms"]),
        ],
        ["… selecting words", times(large["selection_ms"])],
        ["… decision shown", times(large["decision_shown_ms"])],
        [
            f"start with 100,000 notes ({many['mib']} MiB)",
            f"{many['start_seconds']:.1f} s, {many['resident_mib']} MiB of memory",
        ],
        [
            f"start with {found['few_notes']['notes']} notes",
            f"{found['few_notes']['start_seconds']:.1f} s,"
            f" {found['few_notes']['resident_mib']} MiB of memory",
        ],
    ]
    return table(["what", "median and longest"], rows)


BLOCKS = {"review orders": orders_table, "review page": page_table}
"""Functions that generate the blocks of the page, by the name of the block."""
