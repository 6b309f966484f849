"""Write the tables of `docs/results.md` and `docs/claim_runs.md` from the results.

python -m benchmarks.claim.tables

An arm without a result is shown as missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.claim import arm_tables, run_tables, system_tables
from benchmarks.claim.results import RESULTS, read_results
from benchmarks.claim.titles import SETTINGS
from benchmarks.markdown import filled
from cclearn.runtime.parsing import read_json

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = (DOCS / "results.md", DOCS / "claim_runs.md")


def blocks() -> dict[str, Callable[[], str]]:
    """Return the functions that generate the blocks of the pages, by the name of the block."""
    results = read_results()
    found: dict[str, Callable[[], str]] = {
        "shares": partial(arm_tables.share_table, results),
        "budgets": partial(arm_tables.budget_table, results),
        "comparisons": partial(run_tables.comparison_table, results),
        "intervals": run_tables.interval_table,
        "ends": partial(run_tables.end_table, results),
        "points": partial(run_tables.point_table, results),
        "few-shot": system_tables.few_shot_table,
        "best": system_tables.best_table,
        "losses": system_tables.loss_table,
        "candidates": system_tables.candidate_table,
    }
    for setting in SETTINGS:
        # The documents of a split by code are others than those of the baselines.
        path = RESULTS / f"baselines-{setting.split('-')[1]}.json"
        baselines = None if setting.endswith("-codes") else read_json(path)
        for mode in ("single_pass", "span_loop"):
            arms = results.get(setting, {})
            found[f"{setting} {mode}"] = partial(arm_tables.arm_table, arms, mode, baselines)
    for path in sorted(RESULTS.glob("baselines-*.json")):
        found[path.stem] = partial(system_tables.baseline_table, path)
    return found


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), blocks()), encoding="utf-8")
        print(page)


if __name__ == "__main__":
    main()
