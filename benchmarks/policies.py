"""Score models on hand-written notes whose codes follow from coding policies, by category.

python -m benchmarks.policies NAME=MODEL [NAME=MODEL …]

A model is anything that `--model` accepts. The notes are `benchmarks/data/policy_notes.jsonl`. Scores
are written into `benchmarks/results/policies.json`, where those of other models stay.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from benchmarks.measure import RESULTS, save
from benchmarks.synthetic import POLICY_NOTES, by_category, scores_of
from cclearn import CodeSystem
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings
from cclearn.errors import CclearnError
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.parsing import read_json

RESULT = RESULTS / "policies.json"


def measure(model: str) -> dict[str, Any]:
    """Return the scores of a model on all notes and on those of each category, and the seconds."""
    system = CodeSystem.load()
    gold = list(read_coded_notes(POLICY_NOTES, system))
    coder = load_coder(CoderSettings(model=model), system)
    started = time.perf_counter()
    coded = {"model": list(coder.code_many(note.note for note in gold))}
    seconds = round(time.perf_counter() - started, 1)
    categories = by_category(gold, coded, system)
    return {
        "model": model,
        "seconds": seconds,
        "scores": scores_of(gold, coded, system)["model"],
        "micro F1 by category": {name: found["model"] for name, found in categories.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    arguments = parser.parse_args()
    kept = read_json(RESULT)["models"] if RESULT.exists() else {}
    try:
        for item in arguments.models:
            name, _, model = item.partition("=")
            kept[name] = measure(model)
            save("policies", {"models": kept})
    except CclearnError as error:
        sys.exit("\n".join(error.lines))


if __name__ == "__main__":
    main()
