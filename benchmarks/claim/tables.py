"""Write the tables of `docs/results.md` and `docs/claim_differences.md` from the results.

python -m benchmarks.claim.tables

An arm without a result is shown as missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.claim.results import (
    COMPARISONS,
    RESULTS,
    ArmResults,
    Reached,
    arm_and_seed,
    read_results,
    spread,
    token_shares,
)
from benchmarks.markdown import filled, table
from cclearn.runtime.parsing import read_json

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = (DOCS / "results.md", DOCS / "claim_differences.md")

SETTINGS = {
    "small-50": "random weights, 50 documents",
    "small-150": "random weights, 150 documents",
    "small-500": "random weights, 500 documents",
    "small-50-codes": "random weights, 50 documents, split by code",
    "gemma-50": "Gemma 3 270M, 50 documents",
}
"""Settings of the tables, and what the page calls them."""

ARMS = {
    "documents": "documents only",
    "own-spans 1:4": "documents and own spans 1:4",
    "mixed 1:1": "mixed 1:1",
    "mixed 1:4": "mixed 1:4",
    "mixed 1:16": "mixed 1:16",
    "mixed-plain 1:4": "mixed 1:4, no variants",
    "span-then-document 1:4": "span then document 1:4",
    "spans": "spans only",
}
"""Arms of the tables, and what the page calls them."""

REFERENCES = (
    ("single_pass", "documents"),
    ("span_loop", "documents"),
    ("span_loop", "own-spans 1:4"),
)
"""Modes, and the arms whose final macro F1 is to be reached in them."""

REFERENCE_ARMS = {name for _, name in REFERENCES}

_OF_OWN_SPANS = ("documents", "own-spans 1:4")
"""Arms that are coded in `span_loop` with two sets of strings."""

COLUMNS = {
    "micro F1": "micro_f1",
    "macro F1": "macro_f1",
    "evidence F1": "evidence_span_f1",
    "recall, codes of spans only": "span_only/micro_recall",
    "recall, held-out codes": "held_out/micro_recall",
}

UNTRAINED = "lexicon, all spans"
"""The recogniser of `span_loop` with the strings of all spans, which codes them without a model."""

COMPARED = {name: COLUMNS[name] for name in list(COLUMNS)[:4]}
"""Scores whose differences to the references are shown."""

TARGETS = {
    "micro F1": ("micro_f1", "0.72"),
    "macro F1": ("macro_f1", "0.40"),
    "evidence F1": ("evidence_span_f1", "0.68"),
    "MAP": ("map", "–"),
    "recall, codes absent from the training notes": ("unseen/micro_recall", "0.15"),
}
"""Scores of the system of all parts, with their names in results and the values to be reached."""


def arm_table(
    arms: dict[str, ArmResults], mode: str, baselines: Mapping[str, Any] | None = None
) -> str:
    """Return the table of the scores of all arms of a setting.

    Args:
        arms: Results by name of the arm.
        mode: `single_pass` or `span_loop`.
        baselines: Results of the systems without a language model. In `span_loop`, one of them is shown.
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
    if mode == "span_loop" and baselines is not None:
        scores = baselines["systems"][UNTRAINED]["scores"]
        cells = _baseline_cells(scores, [COLUMNS[column] for column in shown])
        rows.append([f"no model: {UNTRAINED}", *["–"] * 4, *cells, "–"])
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
    reference. Arms with a single point, and the references themselves, are left out. A reference whose
    macro F1 is 0 has no share."""
    rows = []
    for setting, title in SETTINGS.items():
        arms = results.get(setting, {})
        for name in ARMS:
            if name in REFERENCE_ARMS or name == "span-then-document 1:4":
                continue
            if name != "mixed 1:4" and name not in arms:
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


def comparison_table(results: dict[str, dict[str, ArmResults]]) -> str:
    """Return the table of the paired differences to the reference arms, with a value for each seed of
    the arm."""
    rows: dict[tuple[str, ...], dict[int, Mapping[str, Any]]] = {}
    for setting, entry in _comparisons():
        arm, seed = arm_and_seed(entry["arm"])
        reference, _ = arm_and_seed(entry["reference"])
        key = (SETTINGS[setting], ARMS[arm], ARMS[reference], _modes(entry))
        missing = {number: {} for number in sorted(results[setting][arm].seeds)}
        rows.setdefault(key, missing)[seed] = entry
    cells = []
    for key, seeds in rows.items():
        entries = (
            [_difference(entry.get(score), False) for entry in seeds.values()]
            for score in COMPARED.values()
        )
        cells.append([*key, *map(", ".join, entries)])
    return table(["setting", "arm", "reference", "mode", *COMPARED], cells)


def interval_table() -> str:
    """Return the table of the paired differences to the reference arms, with their intervals."""
    rows = [
        [
            SETTINGS[setting],
            entry["arm"],
            entry["reference"],
            _modes(entry),
            *(_difference(entry.get(score)) for score in COMPARED.values()),
        ]
        for setting, entry in _comparisons()
    ]
    return table(["setting", "arm", "reference", "mode", *COMPARED], rows)


def _comparisons() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of a setting, and each difference of it."""
    for setting in SETTINGS:
        path = RESULTS / setting / COMPARISONS
        for entry in read_json(path) if path.exists() else ():
            yield setting, entry


def _modes(entry: Mapping[str, Any]) -> str:
    mode, other = entry["modes"]
    return f"`{mode}`" if mode == other else f"`{mode}`, both with the strings of all spans"


def _difference(found: Mapping[str, Any] | None, interval: bool = True) -> str:
    """Return a difference with its interval. That of which random exchanges of predictions explain more
    than one in twenty is in parentheses."""
    if found is None:
        return "missing"
    text = f"{found['value']:+.3f}"
    if interval:
        text += f", {found['low']:+.3f} to {found['high']:+.3f}"
    return text if found["p_randomisation"] < 0.05 else f"({text})"


def summary_table() -> str:
    """Return the table of the README: both models with the smallest number of documents, beside systems
    without a model that have the same spans, and the most frequent codes."""
    columns = list(COLUMNS.values())[:4]
    baselines = read_json(RESULTS / "baselines-50.json")["systems"]
    rows = [
        [name, "", *_baseline_cells(baselines[name]["scores"], columns)]
        for name in ("most frequent codes", "dictionary, all spans", UNTRAINED)
    ]
    results = read_results()
    for setting, model in (("small-50", "random weights"), ("gemma-50", "Gemma 3 270M")):
        for arm in ("documents", "mixed 1:4"):
            found = results.get(setting, {}).get(arm, ArmResults(arm, {}))
            for mode in ("single_pass", "span_loop"):
                scores = [spread(found.values(column, mode)) for column in columns]
                rows.append([f"{model}, {ARMS[arm]}", f"`{mode}`", *scores])
    return table(["system", "mode", *list(COLUMNS)[:4]], rows)


def few_shot_table() -> str:
    """Return the table of the published Gemma 3 270M, by the number of examples in the prompt."""
    columns = [*list(COLUMNS.values())[:4], "map"]
    path = RESULTS / "few-shot.json"
    result = read_json(path) if path.exists() else {"shots": {"0": None, "5": None}}
    rows = []
    for number, found in result["shots"].items():
        cells = ["missing"] * 6
        if found is not None:
            cells = [str(result["notes"]), *_baseline_cells(found["scores"], columns)]
        rows.append([number, *cells])
    return table(["examples", "notes", *list(COLUMNS)[:4], "MAP"], rows)


def best_table() -> str:
    """Return the table of the system of all parts, beside the targets and the dictionary."""
    whole, without = (read_json(RESULTS / f"best{end}.json") for end in ("", "-without-model"))
    rows = [
        [
            title,
            target,
            _interval(whole["dictionary"][name]),
            _interval(whole["scores"][name]),
            _difference(whole["differences"].get(name)),
            _interval(without["scores_without_tuning_notes"][name]),
            _interval(without["scores"][name]),
            _difference(without["differences"].get(name)),
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


def _interval(score: Mapping[str, Any]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f})"


def _baseline_cells(scores: dict[str, Any], columns: list[str]) -> list[str]:
    values = [scores.get(column, {}).get("value") for column in columns]
    return ["–" if value is None else f"{value:.3f}" for value in values]


def baseline_table(path: Path) -> str:
    """Return the table of the baselines of a budget.

    Args:
        path: File of their results.
    """
    columns = [*list(COLUMNS.values())[:4], "map"]
    rows = [
        [name, *_baseline_cells(found["scores"], columns)]
        for name, found in read_json(path)["systems"].items()
    ]
    return table(["system", *list(COLUMNS)[:4], "MAP"], rows)


def blocks() -> dict[str, Callable[[], str]]:
    """Return the functions that generate the blocks of the pages, by the name of the block."""
    results = read_results()
    found: dict[str, Callable[[], str]] = {
        "shares": partial(share_table, results),
        "budgets": partial(budget_table, results),
        "comparisons": partial(comparison_table, results),
        "intervals": interval_table,
        "few-shot": few_shot_table,
        "best": best_table,
        "losses": loss_table,
        "candidates": candidate_table,
    }
    for setting in SETTINGS:
        for mode in ("single_pass", "span_loop"):
            arms, budget = results.get(setting, {}), setting.split("-")[1]
            baselines = read_json(RESULTS / f"baselines-{budget}.json")
            found[f"{setting} {mode}"] = partial(arm_table, arms, mode, baselines)
    for path in sorted(RESULTS.glob("baselines-*.json")):
        found[path.stem] = partial(baseline_table, path)
    return found


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), blocks()), encoding="utf-8")
        print(page)


if __name__ == "__main__":
    main()
