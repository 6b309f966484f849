"""Score models on hand-written notes whose codes follow from coding policies, by category.

python -m benchmarks.policies [--chat-template NAME] [--loop] [--notes FILE] NAME=MODEL [NAME=MODEL …]

A model is anything that `--model` accepts. The chat template is for models that have none. The notes are
`benchmarks/data/policy_notes.jsonl`. Scores are written into `benchmarks/results/policies.json`, where
those of other models stay. With `--loop`, the lexicon finds the mentions, and the model chooses the code
of each. With `--notes`, other notes are scored, without categories.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, save
from benchmarks.synthetic import POLICY_NOTES, by_category, scores_of
from cclearn import CodeSystem
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.parsing import read_json

RESULT = RESULTS / "policies.json"


def measure(settings: CoderSettings, notes: Path) -> dict[str, Any]:
    """Return the scores of a model on all notes and on those of each category, and the seconds."""
    system = CodeSystem.load()
    gold = list(read_coded_notes(notes, system))
    coder = load_coder(settings, system)
    started = time.perf_counter()
    coded = {"model": list(coder.code_many(note.note for note in gold))}
    seconds = round(time.perf_counter() - started, 1)
    categories = by_category(gold, coded, system) if "category" in gold[0].metadata else {}
    return {
        "model": Path(settings.model).name,
        "loop": settings.loop and settings.loop.model_dump(mode="json"),
        "notes": notes.name,
        "seconds": seconds,
        "scores": scores_of(gold, coded, system)["model"],
        "micro F1 by category": {name: found["model"] for name, found in categories.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chat-template", help="for example gemma")
    parser.add_argument("--loop", action="store_true", help="code in span_loop")
    parser.add_argument("--notes", type=Path, default=POLICY_NOTES, help="coded notes to score")
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    arguments = parser.parse_args()
    engine = EngineSettings(chat_template=arguments.chat_template)
    loop = LoopSettings(recogniser="lexicon") if arguments.loop else None
    kept = read_json(RESULT)["models"] if RESULT.exists() else {}
    try:
        for item in arguments.models:
            name, _, model = item.partition("=")
            settings = CoderSettings(model=model, engine=engine, loop=loop)
            kept[name] = measure(settings, arguments.notes)
            save("policies", {"models": kept})
    except CclearnError as error:
        sys.exit("\n".join(error.lines))


if __name__ == "__main__":
    main()
