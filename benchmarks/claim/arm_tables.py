"""Tables of the arms, with the means of their seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.claim.results import (
    RESULTS,
    ArmResults,
    Reached,
    read_results,
    spread,
    token_shares,
)
from benchmarks.claim.system_tables import baseline_cells
from benchmarks.claim.titles import ARMS, COLUMNS, SETTINGS, UNTRAINED
from benchmarks.markdown import table
from cclearn.runtime.parsing import read_json

REFERENCES = (
    ("single_pass", "documents"),
    ("span_loop", "documents"),
    ("span_loop", "own-spans 1:4"),
)
"""Modes, and the arms whose final macro F1 is to be reached in them."""

BESIDE = (
    "most frequent codes",
    "dictionary, all spans",
    UNTRAINED,
    "spaCy and nearest string, all spans",
)
"""Systems without a language model that are shown beside the arms."""

_OF_OWN_SPANS = ("documents", "own-spans 1:4")
"""Arms that are coded in `span_loop` with two sets of strings."""


def arm_table(
    arms: dict[str, ArmResults], mode: str, baselines: Mapping[str, Any] | None = None
) -> str:
    """Return the table of the scores of all arms of a setting.

    Args:
        arms: Results by name of the arm.
        mode: `single_pass` or `span_loop`.
        baselines: Results of the systems without a language model, of which some are shown.
    """
    shown = [
        column
        for column, name in COLUMNS.items()
        if any(arm.values(name, mode) for arm in arms.values()) or column == "micro F1"
    ]
    rows = []
    for name, title in ARMS.items():
        arm = arms.get(name, ArmResults(name, {}))
        rows.append(_arm_row(arm, title, mode, shown))
        if name in _OF_OWN_SPANS and mode == "span_loop":
            rows.append(_arm_row(arm, f"{title}, strings of all spans", f"{mode}_all_spans", shown))
    for name in BESIDE if baselines is not None else ():
        scores = baselines["systems"][name]["scores"]
        cells = baseline_cells(scores, [COLUMNS[column] for column in shown])
        rows.append([f"no language model: {name}", *["–"] * 4, *cells, "–"])
    counts = ["seeds", "million tokens", "of which supervised", "passes over documents"]
    return table(["arm", *counts, *shown, "training, s"], rows)


def _arm_row(arm: ArmResults, title: str, mode: str, columns: list[str]) -> list[str]:
    return [
        title,
        str(len(arm.seeds)),
        spread([tokens / 1e6 for tokens in arm.counts("tokens")], 2),
        spread([tokens / 1e6 for tokens in arm.supervised_tokens()], 2),
        "–" if title == ARMS["spans"] else spread(arm.repeats(), 1),
        *(spread(arm.values(COLUMNS[column], mode)) for column in columns),
        spread(arm.counts("seconds"), 0),
    ]


def budget_table(results: dict[str, dict[str, ArmResults]]) -> str:
    """Return the table of the scores of the model with random weights, by the number of documents."""
    columns = {
        name: COLUMNS[name] for name in ("micro F1", "macro F1", "recall, codes of spans only")
    }
    modes = ("single_pass", "span_loop")
    rows = []
    for budget in ("50", "150", "500"):
        arms = results.get(f"small-{budget}", {})
        for name in ("documents", "mixed 1:4"):
            arm = arms.get(name, ArmResults(name, {}))
            cells = []
            for mode in modes:
                for title, score in columns.items():
                    # With all notes as documents, no code is of spans only.
                    is_none = budget == "500" and "spans only" in title
                    cells.append("–" if is_none else spread(arm.values(score, mode)))
            rows.append([budget, ARMS[name], str(len(arm.seeds)), *cells])
    headers = [f"`{mode}`, {title}" for mode in modes for title in columns]
    return table(["documents", "arm", "seeds", *headers], rows)


def share_table(results: dict[str, dict[str, ArmResults]]) -> str:
    """Return the table of the shares of tokens at which arms first have the final macro F1 of each
    reference, also the references themselves. Arms with a single point are left out. A reference whose
    macro F1 is 0 has no share."""
    rows = []
    for setting, title in SETTINGS.items():
        arms = results.get(setting, {})
        for name in ARMS:
            if name == "span-then-document 1:4" or (name != "mixed 1:4" and name not in arms):
                continue
            cells = []
            for mode, reference in REFERENCES:
                if name not in arms or reference not in arms:
                    cells.append("missing")
                    continue
                shares = token_shares(arms[name], arms[reference], mode)
                cells.append(", ".join(map(_reached, shares.values())) or "–")
            rows.append([title, ARMS[name], *cells])
    columns = [f"`{mode}`, of {ARMS[name]}" for mode, name in REFERENCES]
    return table(["setting", "arm", *columns], rows)


def _reached(share: Reached) -> str:
    if share.by is None:
        return "never"
    if share.after == 0:
        return f"≤ {100 * share.by:.0f} %"
    return f"{100 * share.after:.0f}–{100 * share.by:.0f} %"


def summary_table() -> str:
    """Return the table of the README: both models with the smallest number of documents, beside systems
    without a model that have the same spans, and the most frequent codes."""
    columns = list(COLUMNS.values())[:4]
    baselines = read_json(RESULTS / "baselines-50.json")["systems"]
    rows = [[name, "", *baseline_cells(baselines[name]["scores"], columns)] for name in BESIDE[:3]]
    results = read_results()
    for setting, model in (("small-50", "random weights"), ("gemma-50", "Gemma 3 270M")):
        for arm in ("documents", "mixed 1:4"):
            found = results.get(setting, {}).get(arm, ArmResults(arm, {}))
            for mode in ("single_pass", "span_loop"):
                scores = [spread(found.values(column, mode)) for column in columns]
                rows.append([f"{model}, {ARMS[arm]}", f"`{mode}`", *scores])
    return table(["system", "mode", *list(COLUMNS)[:4]], rows)
