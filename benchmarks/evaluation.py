"""Scoring many notes over many codes with bootstrap intervals, compared with scikit-learn without them.

python benchmarks/evaluation.py [--notes 100000] [--codes 70000] [--draws 1000]
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Iterator

import numpy as np
from measure import save
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from cclearn.codes import CodeSystem
from cclearn.evaluation import Settings, evaluate
from cclearn.notes import AssignedCode, CodedNote

MEAN_CODES = 10


def notes(codes: list[str], count: int, seed: int) -> Iterator[tuple[set[str], set[str]]]:
    """Yield gold and predicted codes. They are skewed like real ones, and half of them are correct."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        size = 1 + rng.poisson(MEAN_CODES - 1)
        indices = (len(codes) * rng.random(2 * size) ** 3).astype(int)
        gold, other = set(indices[:size].tolist()), set(indices[size:].tolist())
        kept = {index for index in gold if rng.random() < 0.5}
        predicted = kept | set(list(other)[: size - len(kept)])
        yield {codes[index] for index in gold}, {codes[index] for index in predicted}


def coded_notes(codes: list[str], count: int, number: int) -> Iterator[CodedNote]:
    """Yield the gold notes (number 0) or the predicted notes (number 1)."""
    for row, pair in enumerate(notes(codes, count, 0)):
        assigned = [AssignedCode(code=code, score=0.5) for code in sorted(pair[number])]
        yield CodedNote(id=str(row), text="", codes=assigned)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--codes", type=int, default=70_000)
    parser.add_argument("--draws", type=int, default=1_000)
    arguments = parser.parse_args()
    system = CodeSystem.load()
    codes = system.billable_codes()[: arguments.codes]
    started = time.perf_counter()
    for number in (0, 1):
        for _ in coded_notes(codes, arguments.notes, number):
            pass
    making = time.perf_counter() - started
    started = time.perf_counter()
    gold, predicted = (coded_notes(codes, arguments.notes, number) for number in (0, 1))
    settings = Settings(draws=arguments.draws)
    found = evaluate(gold, {"system": predicted}, system, settings).evaluations["system"]
    seconds = time.perf_counter() - started - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    pairs = list(notes(codes, arguments.notes, 0))
    binarizer = MultiLabelBinarizer(classes=codes, sparse_output=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        truth = binarizer.fit_transform([g for g, _ in pairs])
        guess = binarizer.transform([p for _, p in pairs])
        theirs = {
            a: f1_score(truth, guess, average=a, zero_division=0) for a in ("micro", "weighted")
        }
        peer = time.perf_counter() - started
    assert all(abs(theirs[a] - (found.value(f"{a}_f1") or 0)) < 1e-9 for a in theirs)
    save(
        "evaluation",
        {
            "notes": arguments.notes,
            "codes": len(codes),
            "draws": arguments.draws,
            "scores_with_intervals": sum(score.low is not None for score in found.scores.values()),
            "seconds": round(seconds, 1),
            "seconds_making_the_notes": round(making, 1),
            "peak_mib": round(peak),
            "scikit_learn_two_scores_seconds": round(peer, 1),
            "seconds_a_draw_to_scikit_learn": round(seconds / (arguments.draws + 1) / peer, 4),
        },
    )


if __name__ == "__main__":
    main()
