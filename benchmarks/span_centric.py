"""The effect of span rows: models of the same size and compute, and the lexicon, on the same notes.

python benchmarks/span_centric.py [--chapter 9] [--seed 0] [--steps N] [--arms mixed document span]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from measure import save

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.evaluation import evaluate
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.progress import quiet_libraries
from cclearn.workflows.quickstart import (
    QuickstartData,
    build_data,
    code_held_out,
    eligible_codes,
    scoring,
    train,
)

ARMS = {
    "mixed": [],
    # Notes are longer than spans. With fewer rows per step, the number of tokens is about the same.
    "document": ["rows.order=document_only"],
    "span": ["rows.order=span_only"],
}

SCORES = (
    "micro_f1",
    "micro_precision",
    "micro_recall",
    "macro_f1",
    "evidence_span_f1",
    "unseen/micro_recall",
    "invalid_rate",
    "ungrounded_rate",
)


def new_mentions(data: QuickstartData) -> dict[str, float]:
    """Return the share of held-out mentions whose words are in no training note, ignoring case.

    `all` counts the mentions of all codes, and `trained` those of codes that are in training notes.
    """
    known = {mention for mention, _ in _mentions(data.training)}
    held_out = list(_mentions(data.held_out))
    trained = [mention for mention, code in held_out if code not in data.span_only]
    shares = {"all": [mention for mention, _ in held_out], "trained": trained}
    return {
        name: round(sum(mention not in known for mention in mentions) / len(mentions), 3)
        for name, mentions in shares.items()
    }


def _mentions(path: Path) -> Iterator[tuple[str, str]]:
    for note in read_coded_notes(path):
        for assigned in note.codes:
            for evidence in assigned.evidence:
                yield evidence.text.casefold(), assigned.code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chapter", default="9")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["mixed", "document"])
    parser.add_argument("--name", default="span_centric")
    arguments = parser.parse_args()
    quiet_libraries()
    system = CodeSystem.load()
    figures: dict[str, dict[str, object]] = {}
    answers: dict[str, list[CodedNote]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        eligible = eligible_codes(arguments.chapter, system)
        data = build_data(folder, eligible, arguments.seed, system)
        overrides = [f"seed={arguments.seed}"]
        overrides += [f"training.steps={arguments.steps}"] if arguments.steps else []
        for arm in arguments.arms:
            run = train("tiny/sft_scratch", data, folder / arm, [*ARMS[arm], *overrides])
            manifest = json.loads((run / "manifest.json").read_text())
            kept = ("parameters", "tokens_seen", "seconds", "tokens_per_second")
            figures[arm] = {key: manifest[key] for key in kept}
            answers[arm] = code_held_out(Coder.load(run, system), data)
        answers["lexicon"] = code_held_out(Coder.lexicon(system), data)
        comparison = evaluate(
            read_coded_notes(data.held_out), answers, system, scoring(data), compare=True
        )
        for arm, evaluation in comparison.evaluations.items():
            figures.setdefault(arm, {})["scores"] = {
                name: asdict(evaluation.scores[name]) for name in SCORES
            }
        differences = {
            f"{one} - {two}": {name: asdict(scores[name]) for name in SCORES}
            for (one, two), scores in comparison.differences.items()
        }
        described = {"chapter": arguments.chapter, "seed": arguments.seed}
        save(
            arguments.name,
            {
                **described,
                "new_mentions": new_mentions(data),
                "arms": figures,
                "differences": differences,
            },
        )


if __name__ == "__main__":
    main()
