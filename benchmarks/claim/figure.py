"""Draw the figure of `docs/results.md`: macro F1 against the number of trained tokens, in both modes.

python -m benchmarks.claim.figure
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.claim.results import ArmResults, read_results
from benchmarks.claim.titles import ARMS, SETTINGS

PATH = Path(__file__).parent.parent.parent / "docs" / "images" / "claim.svg"

DRAWN = {
    "documents": ("#b2182b", "o"),
    "own-spans 1:4": ("#e08214", "^"),
    "mixed 1:4": ("#2166ac", "s"),
    "spans": ("#762a83", "x"),
}
"""Colour and marker of each arm, which differ in print too."""

MODES = ("single_pass", "span_loop")


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "claim"  # The same results give the same bytes.
    results = {name: arms for name, arms in read_results().items() if name in SETTINGS}
    if not results:
        sys.exit("results: there is no arm to draw. Run one with benchmarks.claim.run.")
    figure = Figure(figsize=(3.2 * len(results) + 0.8, 5.6), layout="constrained")
    FigureCanvasSVG(figure)
    rows = figure.subplots(len(MODES), len(results), squeeze=False, sharex="col")
    for row, mode in zip(rows, MODES, strict=True):
        for axes, (setting, arms) in zip(row, results.items(), strict=True):
            for name, (colour, marker) in DRAWN.items():
                if name in arms:
                    _draw(axes, arms[name], mode, colour, marker)
            axes.set_title(f"{SETTINGS[setting]}\n{mode}", fontsize=9)
            axes.set_ylim(bottom=0)
        row[0].set_ylabel("macro F1")
    for axes in rows[-1]:
        axes.set_xlabel("trained tokens, millions")
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(DRAWN), frameon=False)
    PATH.parent.mkdir(exist_ok=True)
    figure.savefig(PATH, format="svg", metadata={"Date": None, "Creator": None})
    print(PATH)


def _draw(axes: Any, arm: ArmResults, mode: str, colour: str, marker: str) -> None:
    """Draw the mean of the seeds at each point that was coded in a mode, and the range of the seeds."""
    number = min(len(result["points"]) for result in arm.seeds.values())
    points = [point for point in range(-number, 0) if arm.values("macro_f1", mode, point)]
    tokens = [statistics.mean(arm.counts("tokens", p)) / 1e6 for p in points]
    values = [arm.values("macro_f1", mode, p) for p in points]
    axes.plot(
        tokens,
        [statistics.mean(v) for v in values],
        color=colour,
        marker=marker,
        label=ARMS[arm.name],
    )
    axes.fill_between(
        tokens, [min(v) for v in values], [max(v) for v in values], color=colour, alpha=0.15
    )


if __name__ == "__main__":
    main()
