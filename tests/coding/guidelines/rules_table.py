"""The tables of the rules in `docs/coding.md`, generated from the rules and from a benchmark.

    python -m tests.coding.guidelines.rules_table

writes them anew.
"""

from __future__ import annotations

from benchmarks.markdown import filled, table
from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.combinations import RULES
from cclearn.coding.guidelines.suggestions.table import Drugs, Suggestion, suggestions
from cclearn.coding.lexicon.drugs import SAYS, SECTION
from cclearn.runtime.parsing import read_json
from tests.source_tree import ROOT

PAGE = ROOT / "docs" / "coding.md"
RESULTS = ROOT / "benchmarks" / "results"


def page_with_rules() -> str:
    """Return the page with the tables of the present rules."""
    blocks = {
        "combination rules": _combinations,
        "precision of flags": _precision_table,
        "suggestions": _suggestions,
    }
    return filled(PAGE.read_text(encoding="utf-8"), blocks)


def _combinations() -> str:
    rows = [[rule.says, rule.section] for rule in RULES] + [[SAYS, SECTION]]
    return table(["rule", "section"], rows)


def _suggestions() -> str:
    system = CodeSystem.load()
    rows: dict[tuple[str, str], list[str]] = {}
    for line in suggestions():
        rows.setdefault((line.code, line.evidence.section), []).append(_evidence(line))
    return table(
        ["code", "title", "evidence", "section"],
        (
            [code, system.description(code), "; ".join(evidence), section]
            for (code, section), evidence in rows.items()
        ),
    )


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


def _evidence(line: Suggestion) -> str:
    if isinstance(line.evidence, Drugs):
        return ", ".join(line.evidence.drugs.names)
    patients = [
        name
        for name, applies in (("adults", line.is_for_adults), ("males", line.is_for_males))
        if applies
    ]
    return f"{line.evidence.says} ({', '.join(patients)})" if patients else line.evidence.says


if __name__ == "__main__":
    PAGE.write_text(page_with_rules(), encoding="utf-8")
