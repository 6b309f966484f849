"""The tables of `docs/baselines.md` from the results."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import table
from benchmarks.measure import RESULTS
from cclearn.runtime.parsing import read_json

COLUMNS = {
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "category_f1": "categories, micro F1",
    "frequency/medium/micro_f1": "F1, codes of 10–99 notes",
    "frequency/tail/micro_f1": "F1, codes of 2–9 notes",
    "frequency/ultra_tail/micro_f1": "F1, codes of 1 note",
}
"""Scores of the table of systems, and their headings."""


def quality_table(language: str) -> str:
    """Return the table of systems on the development notes of CodiEsp in a language."""
    found = read_json(RESULTS / "baselines.json")["quality"][language]
    rows = []
    for name, scores in found["scores"].items():
        cells = [_interval(scores[score]) for score in list(COLUMNS)[:2]]
        cells += [f"{scores[score]['value']:.3f}" for score in list(COLUMNS)[2:]]
        ranking = found["ranking"].get(name)
        rows.append([name, *cells, "" if ranking is None else f"{ranking:.3f}"])
    return table(["system", *COLUMNS.values(), "MAP of all codes"], rows)


def cost_table() -> str:
    """Return the table of the speed of the heads, and of the memory of all labels."""
    result = read_json(RESULTS / "baselines.json")
    speed, memory = result["speed"], result["memory"]
    rows = []
    for head in ("plm_icd", "plm_ca", "gki_icd"):
        cells = [f"{speed[head][ratio]:.2f}" for ratio in ("training_ratio", "scoring_ratio")]
        for kind in ("training", "scoring"):
            found = memory[f"{head}, {kind}"]
            cells.append(f"{found['peak_mib'] / 1024:.1f} GiB, {found['seconds']:.0f} s")
        rows.append([f"`{head}`", *cells])
    few = f"{speed['labels']:,} codes"
    return table(
        ["head", f"training, {few}", f"scoring, {few}", "training step, all codes", "scoring, all"],
        rows,
    )


def _interval(score: dict[str, Any]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f})"


BLOCKS = {"baselines en": lambda: quality_table("en"), "baselines cost": cost_table}
"""Functions that generate the blocks of the page, by the name of the block."""
