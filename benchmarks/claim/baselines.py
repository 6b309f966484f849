"""Systems without training on the notes, or with the least of it, on the same data as the arms.

python -m benchmarks.claim.baselines --data FOLDER [--budget 50]

- `most frequent codes`: every note gets the most frequent codes of the documents, as many as a document
  has on average. The note is not read.
- `dictionary`: the strings of training spans (`benchmarks.claim.dictionary`), of the documents alone or
  of all spans. Pairs have billable codes only; `any code` has the other codes of the corpus too.
- `lexicon`: the embedded lexicon of titles and synonyms, whose strings are English; and the lexicon with
  the same spans as the dictionary.
- `spaCy and nearest string`: spaCy's recogniser, trained on the documents by `recipes/spacy/ner.cfg`,
  and for each span the code of the nearest string of all spans and of the classification.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.claim.data import (
    BUDGETS,
    Split,
    long_evidence_shares,
    read_notes,
    read_split,
    write_split,
)
from benchmarks.claim.dictionary import Dictionary, evidence_pairs
from benchmarks.claim.identity import ROOT, code_sha256, commit, data_hashes
from benchmarks.claim.results import RESULTS
from benchmarks.claim.scoring import ASSERTION, DRAWS, score
from cclearn.codes import CodeSystem
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.errors import CclearnError
from cclearn.notes import AssignedCode, CodedNote, Note
from cclearn.notes.jsonl import read_span_pairs
from cclearn.runtime.files import write_json
from cclearn.training.manifest import package_versions

Code = Callable[[Iterable[Note]], Iterator[CodedNote]]

STEPS = 1_000
"""Number of steps that spaCy's recogniser is trained for. It is not stopped by any score."""


def most_frequent_codes(split: Split) -> Code:
    """Return a function that gives every note the most frequent codes of the documents."""
    counts = Counter(a.code for note in split.documents for a in note.codes)
    number = round(sum(counts.values()) / len(split.documents))
    codes = [
        AssignedCode(code=code, evidence=[])
        for code, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:number]
    ]
    return lambda notes: (CodedNote(id=n.id, text=n.text, codes=codes) for n in notes)


def systems(split: Split, folder: Path, system: CodeSystem) -> dict[str, Callable[[], Code]]:
    """Return functions that construct the systems, by name.

    Args:
        split: Notes of the setting.
        folder: Folder for the data.
        system: Code system.
    """
    files = write_split(split, folder, system)

    def dictionary(pairs: Path) -> Code:
        found = Dictionary(read_span_pairs(pairs, system), split.documents)
        return lambda notes: map(found.code, notes)

    def any_code() -> Code:
        found = Dictionary(evidence_pairs(split.training, system), split.documents)
        return lambda notes: map(found.code, notes)

    def lexicon(pairs: Path | None) -> Code:
        return load_coder(CoderSettings(pairs=pairs, assertion=ASSERTION), system).code_many

    def spacy() -> Code:
        recogniser = f"spacy:{train_recogniser(files.documents, folder / 'spacy')}"
        loop = LoopSettings(recogniser=recogniser, segments="sentence")
        settings = CoderSettings(pairs=files.all_pairs, loop=loop, assertion=ASSERTION)
        return load_coder(settings, system).code_many

    return {
        "most frequent codes": lambda: most_frequent_codes(split),
        "dictionary, documents": lambda: dictionary(files.document_pairs),
        "dictionary, all spans": lambda: dictionary(files.all_pairs),
        "dictionary, all spans, any code": any_code,
        "lexicon": lambda: lexicon(None),
        "lexicon, documents": lambda: lexicon(files.document_pairs),
        "lexicon, all spans": lambda: lexicon(files.all_pairs),
        "spaCy and nearest string, all spans": spacy,
    }


def train_recogniser(
    documents: Path, output: Path, language: str = "es", steps: int = STEPS
) -> Path:
    """Train spaCy's recogniser on coded notes. Return the folder of the pipeline.

    Args:
        documents: File of coded notes.
        output: Folder to write.
        language: Language of the notes, as spaCy names it.
        steps: Number of steps.
    """
    settings = {
        "paths.train": documents,
        "paths.dev": documents,
        "nlp.lang": language,
        "training.max_steps": steps,
        "training.patience": 0,
        "training.eval_frequency": steps,
    }
    command = [sys.executable, "-m", "spacy", "train", str(ROOT / "recipes" / "spacy" / "ner.cfg")]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    subprocess.run([*command, "--output", str(output)], check=True, stdout=subprocess.DEVNULL)
    return output / "model-last"


def measure(split: Split, folder: Path, system: CodeSystem) -> dict[str, Any]:
    """Return the scores of all systems, and the seconds that they take, construction included.

    Args:
        split: Notes of the setting.
        folder: New folder for the data.
        system: Code system.
    """
    found = {}
    for name, construct in systems(split, folder, system).items():
        started = time.perf_counter()
        coded = list(construct()(note.note for note in split.evaluation))
        seconds = round(time.perf_counter() - started, 1)
        found[name] = {"seconds": seconds, "scores": score(split, coded, system, DRAWS)}
        print(f"{name}: {seconds} s", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--budget", type=int, choices=BUDGETS, default=BUDGETS[0])
    arguments = parser.parse_args()
    try:
        system = CodeSystem.load()
        split = read_split(arguments.data, "dev", arguments.budget, False, system)
        with tempfile.TemporaryDirectory(prefix="cclearn-claim-") as name:
            measured = measure(split, Path(name) / "data", system)
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    path = RESULTS / f"baselines-{arguments.budget}.json"
    shares = long_evidence_shares(read_notes(arguments.data, "train", system))
    identity = {
        "code_sha256": code_sha256("benchmarks/claim/baselines.py", "recipes/spacy"),
        "data_sha256": data_hashes(split),
    }
    write_json(
        path,
        {
            "identity": identity,
            "commit": commit(),
            "long_evidence": shares,
            "systems": measured,
            "versions": package_versions(),
        },
    )
    print(path)


if __name__ == "__main__":
    main()
