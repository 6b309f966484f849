"""Print what the page of the claim says about the corpus.

python -m benchmarks.claim.corpus --data FOLDER
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.claim.data import BUDGETS, Split, read_split
from benchmarks.claim.scoring import code_groups
from cclearn.codes import CodeSystem
from cclearn.notes import CODED_ASSERTIONS, CodedNote
from cclearn.notes.assertion import AssertionRules


def describe(split: Split, system: CodeSystem) -> dict[str, Any]:
    """Return the size of the documents of a split, and the number of the codes that only spans have.

    Args:
        split: Notes of a setting.
        system: Code system.
    """
    documents = split.documents
    counts = Counter(a.code for note in documents for a in note.codes)
    span_only = code_groups(split, system).get("span_only", frozenset())
    return {
        "documents": len(documents),
        "characters": round(statistics.mean(len(note.text) for note in documents)),
        "codes": round(statistics.mean(len(note.codes) for note in documents), 1),
        "codes_of_100_documents": sum(count >= 100 for count in counts.values()),
        "span_only_codes": len(span_only),
        "span_only_pairs": sum(a.code in span_only for n in split.evaluation for a in n.codes),
    }


def negated_pairs(notes: Sequence[CodedNote]) -> int:
    """Return the number of (note, code) pairs all of whose evidence the English rules negate."""
    count = 0
    for note in notes:
        rules = AssertionRules(note.text, "english")
        for assigned in note.codes:
            found = [rules.assertion_of(e.start, e.end) for e in assigned.evidence]
            count += bool(found) and not any(one in CODED_ASSERTIONS for one in found)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    data, system = parser.parse_args().data.resolve(), CodeSystem.load()
    settings = {f"{b}": read_split(data, "dev", b, False, system) for b in BUDGETS}
    settings["50, split by code"] = read_split(data, "dev", BUDGETS[0], True, system)
    notes = settings["50"].evaluation
    codes = [assigned.code for note in notes for assigned in note.codes]
    found = {
        "settings": {name: describe(split, system) for name, split in settings.items()},
        "pairs": len(codes),
        "pairs_not_billable": sum(not system.is_billable(code) for code in codes),
        "pairs_that_english_rules_negate": negated_pairs(notes),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
