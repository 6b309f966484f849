"""Tables of the systems beside the arms: baselines, the untrained model, and the system of all parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.claim.results import RESULTS
from benchmarks.claim.titles import COLUMNS
from benchmarks.markdown import table
from cclearn.runtime.parsing import read_json

TARGETS = {
    "micro F1": ("micro_f1", "0.72"),
    "macro F1": ("macro_f1", "0.40"),
    "evidence F1": ("evidence_span_f1", "0.68"),
    "MAP": ("map", "–"),
    "recall, codes absent from the training notes": ("unseen/micro_recall", "0.15"),
}
"""Scores of the system of all parts, with their names in results and the values to be reached."""


def baseline_table(path: Path) -> str:
    """Return the table of the baselines of a budget.

    Args:
        path: File of their results.
    """
    columns = [*list(COLUMNS.values())[:4], "map"]
    rows = [
        [name, *baseline_cells(found["scores"], columns)]
        for name, found in read_json(path)["systems"].items()
    ]
    return table(["system", *list(COLUMNS)[:4], "MAP"], rows)


def few_shot_table() -> str:
    """Return the table of the published Gemma 3 270M, by the number of examples in the prompt."""
    columns = [*list(COLUMNS.values())[:4], "map"]
    path = RESULTS / "few-shot.json"
    result = read_json(path) if path.exists() else {"shots": {"0": None, "5": None}}
    rows = []
    for number, found in result["shots"].items():
        cells = ["missing"] * 6
        if found is not None:
            cells = [str(result["notes"]), *baseline_cells(found["scores"], columns)]
        rows.append([number, *cells])
    return table(["examples", "notes", *list(COLUMNS)[:4], "MAP"], rows)


def best_table() -> str:
    """Return the table of the system of all parts, beside the targets and the dictionary."""
    whole, without = (read_json(RESULTS / f"best{end}.json") for end in ("", "-without-model"))
    rows = [
        [
            title,
            target,
            with_interval(whole["dictionary"][name]),
            with_interval(whole["scores"][name]),
            difference(whole["differences"].get(name)),
            with_interval(without["scores_without_tuning_notes"][name]),
            with_interval(without["scores"][name]),
            difference(without["differences"].get(name)),
        ]
        for title, (name, target) in TARGETS.items()
    ]
    titles = [
        "dictionary",
        "system of all parts",
        "difference",
        "without a language model, 400 notes",
        "the same, all notes",
        "difference",
    ]
    return table(["score", "target", *titles], rows)


def loss_table() -> str:
    """Return the table of how many gold codes are left after each step of both systems of all parts."""
    systems = [read_json(RESULTS / f"best{end}.json")["losses"] for end in ("", "-without-model")]
    titles = {
        "gold": "codes of the notes",
        "evidence": "some evidence of them is found",
        "proposed": "the code is proposed",
        "assigned": "the calibration keeps it",
    }
    counts = [losses[group] for group in ("known", "absent") for losses in systems]
    rows = [
        [title, *(f"{found[step]:,} ({found[step] / found['gold']:.2f})" for found in counts)]
        for step, title in titles.items()
    ]
    groups = ("codes of the training notes", "codes absent from them")
    columns = [f"{group}{end}" for group in groups for end in ("", ", without a language model")]
    return table(["step", *columns], rows)


def candidate_table() -> str:
    """Return the table of how often the right code is among the candidates of Spanish evidence."""
    result = read_json(RESULTS / "candidates.json")
    titles = {
        "known string": "known string",
        "new string": "new string of a known code",
        "new code": "absent code",
    }
    shares = result["shares"]
    ranks = sorted(shares["without"]["new code"], key=int)
    rows = [
        [
            title,
            f"{result['pairs'][group]:,}",
            shown,
            *(f"{shares[name][group][r]:.3f}" for r in ranks),
        ]
        for group, title in titles.items()
        for name, shown in (("without", "no"), ("translated", "yes"))
    ]
    headers = ["first candidate" if rank == "1" else f"first {rank}" for rank in ranks]
    return table(["evidence", "pairs", "translation", *headers], rows)


def difference(found: Mapping[str, Any] | None, interval: bool = True) -> str:
    """Return a difference with its interval. That of which random exchanges of predictions explain more
    than one in twenty is in parentheses."""
    if found is None:
        return "missing"
    text = f"{found['value']:+.3f}"
    if interval:
        text += f", {found['low']:+.3f} to {found['high']:+.3f}"
    return text if found["p_randomisation"] < 0.05 else f"({text})"


def baseline_cells(scores: dict[str, Any], columns: list[str]) -> list[str]:
    values = [scores.get(column, {}).get("value") for column in columns]
    return ["–" if value is None else f"{value:.3f}" for value in values]


def with_interval(score: Mapping[str, Any]) -> str:
    """Return a score with its interval, if it has one."""
    value = f"{score['value']:.3f}"
    return value if score["low"] is None else f"{value} ({score['low']:.3f}–{score['high']:.3f})"
