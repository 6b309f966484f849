"""Draw the figure of `docs/results.md`: macro F1 against the number of trained tokens.

python -m benchmarks.claim.figure
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.claim.results import ArmResults, read_results
from benchmarks.claim.tables import ARMS, SETTINGS

PATH = Path(__file__).parent.parent.parent / "docs" / "images" / "claim.svg"

DRAWN = {
    "documents": ("#b2182b", "o"),
    "mixed 1:4": ("#2166ac", "s"),
    "spans": ("#762a83", "x"),
}
"""Colour and marker of each arm, which differ in print too."""


def main() -> None:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "claim"  # The same results give the same bytes.
    results = {name: arms for name, arms in read_results().items() if name in SETTINGS}
    if not results:
        sys.exit("results: there is no arm to draw. Run one with benchmarks.claim.run.")
    figure = Figure(figsize=(4 * len(results), 3.4), layout="constrained")
    FigureCanvasSVG(figure)
    for axes, (setting, arms) in zip(
        figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True
    ):
        for name, (colour, marker) in DRAWN.items():
            if name in arms:
                _draw(axes, arms[name], colour, marker)
        axes.set_title(SETTINGS[setting], fontsize=10)
        axes.set_xlabel("trained tokens, millions")
        axes.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("macro F1")
    figure.axes[0].legend(frameon=False, fontsize=8)
    PATH.parent.mkdir(exist_ok=True)
    figure.savefig(PATH, format="svg", metadata={"Date": None, "Creator": None})
    print(PATH)


def _draw(axes: Any, arm: ArmResults, colour: str, marker: str) -> None:
    """Draw the mean of the seeds at each point, and the range of the seeds."""
    points = range(min(len(result["points"]) for result in arm.seeds.values()))
    tokens = [statistics.mean(arm.counts("tokens", p)) / 1e6 for p in points]
    values = [arm.values("macro_f1", point=p) for p in points]
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
