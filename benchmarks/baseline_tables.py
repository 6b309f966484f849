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
    "map": "MAP",
}
"""Scores of the table of systems, and their headings."""

SPANISH = {
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "evidence_span_f1": "evidence F1, exact spans",
    "evidence_token_f1": "evidence F1, tokens",
    "map": "MAP",
}
"""Scores of the table of systems on Spanish notes, which have evidence."""

OTHERS = {
    "Gemma 3 270M, `single_pass`": ("gemma-50/mixed-1-4-seed0", "single_pass"),
    "Gemma 3 270M, `span_loop`": ("gemma-50/mixed-1-4-seed0", "span_loop"),
    "system of all parts": ("best", ""),
    "the same without a language model": ("best-without-model", ""),
}
"""Other systems on the same notes: their result of the claim and their mode."""

RARE = {
    "frequency/medium/micro_f1": "F1, 10–99 notes",
    "frequency/tail/micro_f1": "F1, 2–9 notes",
    "frequency/ultra_tail/micro_f1": "F1, 1 note",
    "unseen/micro_f1": "F1, no note",
    "frequency/tail/family_recall": "family, 2–9 notes",
    "unseen/family_recall": "family, no note",
}
"""Scores of the table of the rare-code experiment, and their headings."""


def quality_table(language: str) -> str:
    """Return the table of systems on the development notes of CodiEsp in a language."""
    found = read_json(RESULTS / "baselines.json")["quality"][language]
    rows = []
    for name, scores in found["scores"].items():
        cells = [_interval(scores[score]) for score in list(COLUMNS)[:2]]
        cells += [f"{scores[score]['value']:.3f}" for score in list(COLUMNS)[2:]]
        rows.append([name, *cells])
    return table(["system", *COLUMNS.values()], rows)


def spanish_table() -> str:
    """Return the table of systems on the development notes of CodiEsp in Spanish."""
    found = read_json(RESULTS / "baselines.json")["quality"]["es"]
    rows = []
    for name, scores in found["scores"].items():
        rows.append(_spanish_row(name, scores))
    for name, (result, mode) in OTHERS.items():
        content = read_json(RESULTS / "claim" / f"{result}.json")
        scores = content["points"][-1]["modes"][mode]["scores"] if mode else content["scores"]
        rows.append(_spanish_row(name, scores))
    return table(["system", *SPANISH.values()], rows)


def _spanish_row(name: str, scores: dict[str, Any]) -> list[str]:
    cells = [_interval(scores[score]) for score in list(SPANISH)[:2]]
    return [name, *cells, *(f"{scores[score]['value']:.3f}" for score in list(SPANISH)[2:])]


def rare_table() -> str:
    """Return the table of the rare-code experiment: each arm beside the original notes."""
    rows = []
    for baseline, seeds in read_json(RESULTS / "rare_codes.json")["results"].items():
        for found in seeds.values():
            for arm, scores in found["scores"].items():
                cells = []
                for name in ("micro_f1", *RARE):
                    value = f"{scores[name]['value']:.3f}"
                    if arm != "original":
                        low, high = (
                            found["differences"][arm][name][end] for end in ("low", "high")
                        )
                        value += f" ({low:+.3f} to {high:+.3f})"
                    cells.append(value)
                rows.append([f"`{baseline}`", arm, *cells])
    return table(["baseline", "training data", "micro F1", *RARE.values()], rows)


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
    if score["low"] is None:
        return f"{score['value']:.3f}"
    return f"{score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f})"


BLOCKS = {
    "baselines en": lambda: quality_table("en"),
    "baselines es": spanish_table,
    "baselines cost": cost_table,
    "rare codes": rare_table,
}
"""Functions that generate the blocks of the page, by the name of the block."""
