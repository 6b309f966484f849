"""The table of the combination rules in `docs/coding.md`, which is generated from the rules.

    python -m tests.coding.guidelines.rules_table

writes it anew.
"""

from __future__ import annotations

from benchmarks.markdown import filled, table
from cclearn.coding.guidelines.combinations import RULES
from cclearn.coding.lexicon.drugs import SAYS, SECTION
from tests.source_tree import ROOT

PAGE = ROOT / "docs" / "coding.md"


def page_with_rules() -> str:
    """Return the page with the table of the present rules."""
    rows = [[rule.says, rule.section] for rule in RULES] + [[SAYS, SECTION]]
    blocks = {"combination rules": lambda: table(["rule", "section"], rows)}
    return filled(PAGE.read_text(encoding="utf-8"), blocks)


if __name__ == "__main__":
    PAGE.write_text(page_with_rules(), encoding="utf-8")
