"""Code the evaluation notes with the published Gemma 3 270M, with and without examples in the prompt.

python -m benchmarks.claim.few_shot MODEL --data FOLDER --work FOLDER [--shots 0 5] [--notes 250]

MODEL is the folder of Gemma 3 270M, which `cclearn models assemble` wrote. The examples are the shortest
of the 50 documents of the smallest budget, so that five of them fit into the prompt. Answers are
constrained as those of the arms: quotes are in the note, and codes are billable. An untrained model
writes until its answer is cut off, which takes long on a CPU. `--notes` limits the number of notes,
which are taken in the order of the hashes of their ids. The same command continues a run that was
stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.claim.data import BUDGETS, Split, read_split
from benchmarks.claim.identity import bind, code_sha256, commit, data_hashes
from benchmarks.claim.results import RESULTS
from benchmarks.claim.scoring import ASSERTION, DRAWS, code_notes, predictions, score
from cclearn.codes import CodeSystem
from cclearn.coding.settings import CoderSettings
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError
from cclearn.models import model_hash
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import write_rows
from cclearn.runtime.files import write_json
from cclearn.runtime.progress import quiet_libraries
from cclearn.training.manifest import package_versions

PATH = RESULTS / "few-shot.json"


def examples(split: Split, shots: int) -> list[CodedNote]:
    """Return the shortest documents of a split, in the order of their ids."""
    shortest = sorted(split.documents, key=lambda note: (len(note.text), note.id))[:shots]
    return sorted(shortest, key=lambda note: note.id)


def measure(
    model: Path,
    split: Split,
    shots: Sequence[int],
    work: Path,
    system: CodeSystem,
    engine: EngineSettings,
) -> dict[str, Any]:
    """Return the scores with each number of examples.

    Args:
        model: Folder of the model.
        split: Notes of the setting.
        shots: Numbers of examples.
        work: Work folder.
        system: Code system.
        engine: Settings of the engine.

    Raises:
        CclearnError: A note could not be coded, or the folder belongs to another model, code or data.
    """
    identity = {
        "model_sha256": model_hash(str(model), None),
        "code_sha256": code_sha256("benchmarks/claim/few_shot.py"),
        "data_sha256": data_hashes(split),
    }
    folder = work / "few_shot"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bind(folder, identity)
    notes = folder / "notes.jsonl"
    write_rows(notes, (note.note for note in split.evaluation))
    found = {}
    for number in shots:
        settings = CoderSettings(
            model=str(model),
            engine=engine,
            examples=examples(split, number),
            assertion=ASSERTION,
        )
        out = folder / f"shots-{number}"
        seconds = code_notes(notes, out, settings)
        scores = score(split, list(predictions(out)), system, DRAWS)
        found[str(number)] = {"seconds": seconds, "scores": scores}
        print(f"{number} examples: {seconds:.0f} s", file=sys.stderr, flush=True)
    return {
        "identity": identity,
        "commit": commit(),
        "notes": len(split.evaluation),
        "shots": found,
        "versions": package_versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of Gemma 3 270M")
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--work", type=Path, required=True, help="folder for coded notes")
    parser.add_argument("--shots", type=int, nargs="+", default=[0, 5])
    parser.add_argument("--notes", type=int, default=None, help="number of notes to code")
    arguments = parser.parse_args()
    quiet_libraries()
    engine = EngineSettings(chat_template="gemma")  # The published model has no template.
    model, work = arguments.model.resolve(), arguments.work.resolve()
    try:
        system = CodeSystem.load()
        split = read_split(arguments.data.resolve(), "dev", BUDGETS[0], False, system)
        split = replace(split, evaluation=split.evaluation[: arguments.notes])
        result = measure(model, split, arguments.shots, work, system, engine)
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    write_json(PATH, result)
    print(PATH)


if __name__ == "__main__":
    main()
