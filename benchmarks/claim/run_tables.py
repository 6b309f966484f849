"""Tables of single runs, and of their differences to the reference arms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.claim.results import COMPARISONS, RESULTS, ArmResults, arm_and_seed
from benchmarks.claim.system_tables import difference, with_interval
from benchmarks.claim.titles import ARMS, COLUMNS, SETTINGS
from benchmarks.markdown import table
from cclearn.runtime.parsing import read_json

COMPARED = {name: COLUMNS[name] for name in list(COLUMNS)[:4]}
"""Scores whose differences to the references are shown."""

MODES = {
    "single_pass": "`single_pass`",
    "span_loop": "`span_loop`",
    "span_loop_all_spans": "`span_loop`, strings of all spans",
}
"""Modes, and what the page calls them."""

FREQUENCIES = {
    "F1, codes of 10–99 documents": "frequency/medium/micro_f1",
    "F1, codes of 2–9 documents": "frequency/tail/micro_f1",
    "F1, codes of 1 document": "frequency/ultra_tail/micro_f1",
}
"""Micro F1 of codes by the number of documents of the arm that have them."""


def end_table(results: dict[str, dict[str, ArmResults]]) -> str:
    """Return the table of the scores of each run at its end, with the intervals of the bootstrap, and of
    its F1 by the number of training documents of a code."""
    rows = []
    for setting, arm, seed, result in _runs(results):
        for mode, found in result["points"][-1]["modes"].items():
            scores = found["scores"]
            cells = [_cell(scores.get(name), with_interval) for name in COLUMNS.values()]
            cells += [_cell(scores.get(name), _value) for name in FREQUENCIES.values()]
            rows.append([setting, arm, str(seed), MODES[mode], *cells])
    return table(["setting", "arm", "seed", "mode", *COLUMNS, *FREQUENCIES], rows)


def point_table(results: dict[str, dict[str, ArmResults]]) -> str:
    """Return the table of the scores of each run at its points, with the tokens and seconds before."""
    scores = ("micro_f1", "macro_f1")
    rows = []
    for setting, arm, seed, result in _runs(results):
        for point in result["points"]:
            cells = [
                _cell(point["modes"].get(mode, {"scores": {}})["scores"].get(name), _value)
                for mode in ("single_pass", "span_loop")
                for name in scores
            ]
            tokens = f"{point['tokens'] / 1e6:.2f}"
            rows.append([setting, arm, str(seed), tokens, f"{point['seconds']:.0f}", *cells])
    titles = [f"{MODES[m]}, {n}" for m in ("single_pass", "span_loop") for n in list(COLUMNS)[:2]]
    return table(["setting", "arm", "seed", "million tokens", "seconds", *titles], rows)


def _runs(
    results: dict[str, dict[str, ArmResults]],
) -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    """Yield what the page calls the setting and the arm of each run, its seed and its result."""
    for setting, title in SETTINGS.items():
        arms = results.get(setting, {})
        for name in [name for name in ARMS if name in arms]:
            for seed, result in sorted(arms[name].seeds.items()):
                yield title, ARMS[name], seed, result


def _cell(score: Mapping[str, Any] | None, shown: Callable[[Mapping[str, Any]], str]) -> str:
    return "–" if score is None or score["value"] is None else shown(score)


def _value(score: Mapping[str, Any]) -> str:
    return f"{score['value']:.3f}"


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
            [difference(entry.get(score), False) for entry in seeds.values()]
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
            *(difference(entry.get(score)) for score in COMPARED.values()),
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
    if mode == other == "span_loop_all_spans":
        return "`span_loop`, both with the strings of all spans"
    return (
        MODES[mode]
        if mode == other
        else f"{MODES[mode]}, the reference with the strings of all spans"
    )
