"""Plots of a report, as SVG without scripts, in colours that can be distinguished in print."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from cclearn.errors import visible
from cclearn.evaluation.evaluate import Evaluation
from cclearn.evaluation.metrics.codes import STRATA
from cclearn.evaluation.report.cost import Cost

_MARKS = ("o", "s", "^", "D", "v", "P")
_COLOURS = ("#08519c", "#d94801", "#238b45", "#6a51a3", "#636363", "#a50f15")

_METADATA = ("Date", "Creator", "Format", "Type")
"""Metadata that is left out, so that the page refers to no other address."""

_FREQUENCY = [f"frequency/{name}" if least else name for name, least in STRATA]


def plots(
    evaluations: Mapping[str, Evaluation], costs: Mapping[str, Cost] | None = None
) -> list[tuple[str, str]]:
    """Return the plots that can be drawn from the scores, each with its heading.

    Args:
        evaluations: Scores by system.
        costs: Cost by system.
    """
    found = []
    strata = [name for name in _FREQUENCY if _known(evaluations, f"{name}/micro_f1")]
    if len(strata) > 1:
        labels = [name.removeprefix("frequency/").replace("_", " ") for name in strata]
        names = [f"{name}/micro_f1" for name in strata]
        heading = "Micro F1 by how often the training notes hold a code"
        found.append((heading, _intervals(evaluations, names, labels, "training notes")))
    chapters = sorted(
        {
            name.split("/")[1]
            for evaluation in evaluations.values()
            for name in evaluation.scores
            if name.startswith("chapter/")
        },
        key=lambda name: (not name.isdigit(), name.zfill(3)),
    )
    chapters = [name for name in chapters if _known(evaluations, f"chapter/{name}/micro_f1")]
    if len(chapters) > 1:
        names = [f"chapter/{name}/micro_f1" for name in chapters]
        found.append(("Micro F1 by chapter", _intervals(evaluations, names, chapters, "chapter")))
    if any(evaluation.calibration for evaluation in evaluations.values()):
        found.append(("Reliability of the scores", _reliability(evaluations)))
    if costs is not None and len(costs) > 1:  # One point compares nothing.
        found.append(("Cost against accuracy", _cost(evaluations, costs)))
    return found


def _known(evaluations: Mapping[str, Evaluation], name: str) -> bool:
    return any(evaluation.value(name) is not None for evaluation in evaluations.values())


def _axes(width: float = 7, height: float = 3) -> tuple[Any, Any]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#d0d7de", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib

    stream = io.StringIO()
    # Text as paths needs no fonts. A fixed salt makes the ids reproducible, and so the bytes.
    with matplotlib.rc_context({"svg.hashsalt": "cclearn", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(_METADATA))
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _style(number: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "marker": _MARKS[number % len(_MARKS)],
        "markersize": 5,
    }


def _intervals(
    evaluations: Mapping[str, Evaluation], names: list[str], labels: list[str], axis: str
) -> str:
    figure, axes = _axes(max(7, 0.48 * len(names)))
    step = min(0.15, 0.7 / max(len(evaluations), 1))
    for number, (system, evaluation) in enumerate(evaluations.items()):
        for position, name in enumerate(names):
            score = evaluation.scores.get(name)
            if score is None or score.value is None:
                continue
            low = score.value if score.low is None else min(score.low, score.value)
            high = score.value if score.high is None else max(score.high, score.value)
            axes.errorbar(
                [position + step * (number - (len(evaluations) - 1) / 2)],
                [score.value],
                [[score.value - low], [high - score.value]],
                linestyle="none",
                capsize=2,
                **_style(number),
            )
        axes.plot([], [], label=_label(system), linestyle="none", **_style(number))
    axes.set_xticks(range(len(names)), labels)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xlabel(axis)
    axes.set_ylabel("micro F1")
    axes.set_ylim(-0.02, 1.02)
    _legend(axes)
    return _svg(figure)


def _reliability(evaluations: Mapping[str, Evaluation]) -> str:
    figure, axes = _axes(4.2, 4)
    axes.plot([0, 1], [0, 1], color="#8c959f", linewidth=0.8, linestyle="--")
    for number, (system, evaluation) in enumerate(evaluations.items()):
        bins = evaluation.calibration
        if bins:
            scores, right = [b.score for b in bins], [b.right for b in bins]
            axes.plot(scores, right, label=_label(system), linewidth=1, **_style(number))
    axes.set_xlabel("mean score of the predicted codes")
    axes.set_ylabel("share that is right")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    _legend(axes)
    return _svg(figure)


def _cost(evaluations: Mapping[str, Evaluation], costs: Mapping[str, Cost]) -> str:
    """Draw micro F1 over the price of a note, or over its seconds if a price is missing."""
    figure, axes = _axes(5, 3.4)
    priced = all(cost.price for cost in costs.values())
    for number, (system, evaluation) in enumerate(evaluations.items()):
        value, cost = evaluation.value("micro_f1"), costs.get(system)
        paid = None if cost is None else cost.price if priced else cost.seconds
        if value is not None and paid:
            axes.plot([paid], [value], label=_label(system), linestyle="none", **_style(number))
    axes.set_xscale("log")
    axes.set_xlabel("price a note" if priced else "seconds a note")
    axes.set_ylabel("micro F1")
    axes.set_ylim(-0.02, 1.02)
    _legend(axes)
    return _svg(figure)


def _label(system: str) -> str:
    """Return the name of a system for a legend, in which `$` starts a formula and `_` hides the
    entry."""
    shown = visible(system).replace("$", r"\$")
    return f"\u200a{shown}" if shown.startswith("_") else shown


def _legend(axes: Any) -> None:
    axes.legend(frameon=False, fontsize="small", loc="best")
