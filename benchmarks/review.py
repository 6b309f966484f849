"""Measure the review: orders of notes with a simulated reviewer, and the speed of the page.

    python -m benchmarks.review orders --data FOLDER [--language en] [--seeds 3]
    python -m benchmarks.review page

Each part is written into `benchmarks/results/review.json`, where the others stay.

- `orders`: the gold of CodiEsp's training notes is the reviewer. After every 25 notes, a coder learns
  from the reviewed notes, codes the notes that are left, and is scored on the development notes. The
  coder is the lexicon with the evidence of the reviewed notes (the English gold has none). The score of
  a code is the share of the proposals of its phrase that were accepted, with one accepted and one
  rejected proposal added. A code is assigned from 0.35. The minutes of a note are assumed: 250 words a
  minute, 0.2 minutes for each proposal, and 0.5 for each code that is added. FOLDER contains `codiesp`.
- `page`: seconds in Chromium, with Playwright: from the request to the first note; a decision; a note of
  10,000 words with 200 pieces of evidence; and starting with 100,000 notes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.measure import RESULTS, save
from benchmarks.review_page import page
from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.coding import Coder
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import write_rows
from cclearn.review.note_index import NoteIndex
from cclearn.review.order import Order, OrderName
from cclearn.runtime.parsing import read_json

RESULT = RESULTS / "review.json"

ROUND = 25
"""Number of notes that are reviewed before the coder learns from them."""

THRESHOLD = 0.35
READ, DECIDE, ADD = 1 / 250, 0.2, 0.5
"""Minutes for a word, a proposal, and a code that is added."""


class Learner:
    """A coder that learns from reviewed notes.

    Args:
        system: Code system.
        language: Language of the notes. Spanish notes have evidence, and no assertion rules.
    """

    def __init__(self, system: CodeSystem, language: str) -> None:
        self._system, self._language = system, language
        self._pairs: list[SpanPair] = []
        self._accepted: Counter[tuple[str, str]] = Counter()
        self._proposed: Counter[tuple[str, str]] = Counter()
        self._coded: dict[str, CodedNote] = {}

    def review(self, gold: CodedNote, proposed: CodedNote) -> None:
        """Learn from a reviewed note.

        Args:
            gold: The note with the codes of the reviewer.
            proposed: The note with the proposals that were shown.
        """
        codes = {code.code for code in gold.codes}
        for code in proposed.codes:
            for phrase in {string_key(piece.text) for piece in code.evidence}:
                self._proposed[phrase, code.code] += 1
                self._accepted[phrase, code.code] += code.code in codes
        for number, code in enumerate(gold.codes):
            for other, piece in enumerate(code.evidence):
                pair = SpanPair(
                    id=f"{gold.id} {number} {other}",
                    text=piece.text,
                    code=code.code,
                    release=self._system.release,
                    grade="gold",
                    source="review/gold",
                )
                self._pairs.append(pair)

    def propose(self, notes: Iterable[CodedNote]) -> list[CodedNote]:
        """Return notes with the proposals of the coder and their scores."""
        if self._language == "es":
            self._coded = {}  # The lexicon has new phrases.
        new = [note.note for note in notes if note.id not in self._coded]
        if new:
            coder = Coder.lexicon(
                self._system,
                pairs=self._pairs,
                assertion="off" if self._language == "es" else "english",
            )
            self._coded |= {note.id: note for note in coder.code_many(new)}
        return [self._scored(self._coded[note.id]) for note in notes]

    def _scored(self, note: CodedNote) -> CodedNote:
        codes = []
        for code in note.codes:
            phrases = {(string_key(piece.text), code.code) for piece in code.evidence}
            scores = [(self._accepted[p] + 1) / (self._proposed[p] + 2) for p in phrases]
            codes.append(code.model_copy(update={"score": max(scores, default=0.5)}))
        return note.model_copy(update={"codes": codes})

    def assigned(self, notes: Iterable[CodedNote]) -> list[CodedNote]:
        """Return notes with the codes that the coder assigns."""
        return [
            note.model_copy(
                update={"codes": [c for c in note.codes if (c.score or 0) >= THRESHOLD]}
            )
            for note in self.propose(notes)
        ]


def minutes_of(gold: CodedNote, proposed: CodedNote) -> float:
    """Return the assumed minutes of a review."""
    added = {code.code for code in gold.codes} - {code.code for code in proposed.codes}
    words = len(gold.text.split())
    return READ * words + DECIDE * len(proposed.codes) + ADD * len(added)


def simulate(
    name: OrderName,
    seed: int,
    pool: list[CodedNote],
    test: list[CodedNote],
    system: CodeSystem,
    language: str,
) -> list[dict[str, float]]:
    """Return the scores on the test notes after each round of a simulated review.

    Args:
        name: Order of the notes.
        seed: Seed of the order.
        pool: Notes to review, with their gold.
        test: Notes that are scored.
        system: Code system.
        language: Language of the notes.
    """
    learner = Learner(system, language)
    position = {note.id: n for n, note in enumerate(pool)}
    opened = np.zeros(len(pool), dtype=np.bool_)
    known: set[str] = set()
    minutes = 0.0
    points = []
    while True:
        predicted = {"coder": learner.assigned(test)}
        comparison = evaluate(test, predicted, system, Settings(draws=0))
        evaluation = comparison.evaluations["coder"]
        points.append(
            {
                "notes": int(opened.sum()),
                "minutes": round(minutes, 1),
                "micro_f1": round(evaluation.scores["micro_f1"].value, 4),
                "macro_f1": round(evaluation.scores["macro_f1"].value, 4),
            }
        )
        if opened.all():
            return points
        proposed = learner.propose(pool)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "coded.jsonl"
            write_rows(path, proposed)
            index = NoteIndex([path])
            order = Order(index, name if index.proposed.has_scores else "random", seed, 0.15)
            for _ in range(min(ROUND, int((~opened).sum()))):
                chosen = order.next(opened, np.ones_like(opened), known, None)
                assert chosen is not None
                opened[chosen] = True
                gold = pool[position[index.ids[chosen]]]
                known |= {code.code for code in gold.codes}
                minutes += minutes_of(gold, proposed[chosen])
                learner.review(gold, proposed[chosen])


def reached(points: list[dict[str, float]], score: str, target: float, by: str) -> float | None:
    """Return the notes or minutes at which a score first reaches a target. None if it never does."""
    return next((point[by] for point in points if point[score] >= target), None)


def orders(data: Path, language: str, seeds: int) -> dict[str, Any]:
    """Return the curves of all orders, and what each needs to reach 95 % of the final F1."""
    system = CodeSystem.load()
    corpus = CodiEsp()
    notes = {}
    for split in ("train", "dev"):
        options = CodiEspOptions(split=split, language=language)  # type: ignore[arg-type]
        notes[split] = [
            note.model_copy(update={"codes": [c for c in note.codes if c.code in system]})
            for note in corpus.read(data / "codiesp", split, options, system)
            if isinstance(note, CodedNote)
        ]
    curves: dict[str, list[list[dict[str, float]]]] = {}
    for name in get_args(OrderName):
        curves[name] = []
        for seed in range(seeds):
            curves[name].append(
                simulate(name, seed, notes["train"], notes["dev"], system, language)
            )
            print(language, name, seed, curves[name][-1][-1], flush=True)
    final = statistics.mean(curve[-1]["micro_f1"] for curve in curves["random"])
    first = statistics.mean(curve[0]["micro_f1"] for curve in curves["random"])
    target = round(first + 0.8 * (final - first), 4)
    needs = {
        name: {
            by: [reached(curve, "micro_f1", target, by) for curve in found]
            for by in ("notes", "minutes")
        }
        for name, found in curves.items()
    }
    return {
        "notes": {split: len(of_split) for split, of_split in notes.items()},
        "seeds": seeds,
        "target_micro_f1": target,
        "needed": needs,
        "curves": curves,
    }


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=("orders", "page"))
    parser.add_argument("--data", type=Path, help="folder that contains codiesp")
    parser.add_argument("--language", choices=("en", "es"), default="en")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    kept = read_json(RESULT) if RESULT.exists() else {}
    kept = {part: kept[part] for part in ("orders", "page") if part in kept}
    if arguments.part == "page":
        kept["page"] = page()
    else:
        found = orders(arguments.data, arguments.language, arguments.seeds)
        kept["orders"] = {**kept.get("orders", {}), arguments.language: found}
    save("review", kept)


if __name__ == "__main__":
    main()
