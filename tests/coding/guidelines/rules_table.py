"""The tables of the rules in `docs/coding.md`, generated from the rules and from a benchmark.

    python -m tests.coding.guidelines.rules_table

writes it anew.
"""

from __future__ import annotations

from benchmarks.markdown import filled, table
from cclearn.coding.guidelines.combinations import RULES
from cclearn.coding.lexicon.drugs import SAYS, SECTION
from cclearn.runtime.parsing import read_json
from tests.source_tree import ROOT

PAGE = ROOT / "docs" / "coding.md"
RESULTS = ROOT / "benchmarks" / "results"


def page_with_rules() -> str:
    """Return the page with the table of the present rules."""
    rows = [[rule.says, rule.section] for rule in RULES] + [[SAYS, SECTION]]
    blocks = {
        "combination rules": lambda: table(["rule", "section"], rows),
        "precision of flags": _precision_table,
    }
    return filled(PAGE.read_text(encoding="utf-8"), blocks)


def _precision_table() -> str:
    """Return how often each rule flags a note, and how often the gold codes agree."""
    figures = read_json(RESULTS / "rules.json")
    rows = [
        [
            rule,
            f"{100 * found['notes'] / figures['notes']:.1f} %",
            str(found["flags"]),
            f"{100 * found['right'] / found['flags']:.0f} %",
        ]
        for rule, found in sorted(figures["rules"].items(), key=lambda item: -item[1]["notes"])
    ]
    return table(["rule", "notes with a flag", "flags", "the gold codes agree"], rows)


if __name__ == "__main__":
    PAGE.write_text(page_with_rules(), encoding="utf-8")
