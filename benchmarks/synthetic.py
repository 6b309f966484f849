"""Measure synthetic notes: their speed, how they differ from real notes, and what they are worth.

python -m benchmarks.synthetic speed [--notes 20000]
python -m benchmarks.synthetic realism --data FOLDER [--also NAME=FILE]
python -m benchmarks.synthetic use --data FOLDER [--also NAME=FILE]

FOLDER contains `aci_bench`, `mts_dialog` and `codiesp`. Each part is written into
`benchmarks/results/synthetic.json`, where the others stay. `--also` compares further synthetic notes,
such as those of an earlier version.

- `speed`: notes a second of `template_notes` and `policies` on one core, with all files; offsets are
  compared with the text.
- `realism`: the accuracy of a logistic classifier of character n-grams that tells synthetic windows of
  text from real ones, beside that of one real corpus against another.
- `use`: spaCy's recogniser trained on notes of either builder, with about the same number of characters,
  and the nearest string for each span, on the notes of `benchmarks/data/policy_notes.jsonl` and on the
  development notes of CodiEsp in English; and the lexicon.
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.claim.baselines import train_recogniser
from benchmarks.measure import RESULTS, save
from cclearn import Coder, CodeSystem, evaluate
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.errors import CclearnError
from cclearn.evaluation import Settings
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.runtime.parsing import read_json
from data_builders.builder import configure, find_builder
from data_builders.output import build

RESULT = RESULTS / "synthetic.json"

POLICY_NOTES = Path(__file__).parent / "data" / "policy_notes.jsonl"

WINDOW = 700
"""Number of characters of the windows that the classifier reads."""

WINDOWS = 600
"""Maximum number of windows of each corpus."""

CHARACTERS = 1_500_000
"""Number of characters of the notes on which a recogniser is trained."""

SCORES = (
    "micro_f1",
    "micro_precision",
    "micro_recall",
    "exact_match",
    "category_f1",
    "evidence_token_f1",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("speed", "realism", "use"))
    parser.add_argument("--data", type=Path, help="folder of the corpora")
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FILE")
    arguments = parser.parse_args()
    also = {name: Path(file) for name, _, file in (item.partition("=") for item in arguments.also)}
    if arguments.part != "speed" and arguments.data is None:
        parser.error("--data is needed")
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "speed": lambda: speed(arguments.notes),
        "realism": lambda: realism(arguments.data, also),
        "use": lambda: use(arguments.data, also),
    }
    kept = read_json(RESULT) if RESULT.exists() else {}
    kept = {part: kept[part] for part in parts if part in kept}
    try:
        save("synthetic", {**kept, arguments.part: parts[arguments.part]()})
    except CclearnError as error:
        sys.exit("\n".join(error.lines))


def speed(count: int) -> dict[str, Any]:
    """Return the seconds, notes a second and memory of complete builds in one process."""
    system = CodeSystem.load()
    found: dict[str, Any] = {"notes": count}
    with tempfile.TemporaryDirectory(prefix="cclearn-synthetic-") as name:
        folder = Path(name)
        pairs = _pairs(folder, system)
        for builder, settings in _builders(pairs, count).items():
            started = time.perf_counter()
            path = _build(builder, settings, folder / builder, system)
            seconds = time.perf_counter() - started
            wrong = sum(
                note.text[e.start : e.end] != e.text
                for note in read_coded_notes(path, system)
                for assigned in note.codes
                for e in assigned.evidence
            )
            found[builder] = {
                "seconds": round(seconds, 1),
                "notes_a_second": round(count / seconds),
                "wrong_offsets": wrong,
                "characters": round(sum(len(n.text) for n in read_coded_notes(path)) / count),
            }
    found["mib_most"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return found


def _builders(pairs: Path, count: int) -> dict[str, dict[str, Any]]:
    return {
        "template_notes": {"pairs": str(pairs), "notes": count},
        "policies": {"notes": count},
    }


def _synthetic_notes(
    folder: Path, count: int, also: dict[str, Path], system: CodeSystem
) -> dict[str, Path]:
    """Return files of synthetic notes by the name of their kind."""
    builders = _builders(_pairs(folder, system), count)
    # The templates of an encounter, without those for few words besides the mentions.
    long = {**builders["template_notes"], "templates": []}
    kinds = {
        "template_notes": builders["template_notes"],
        "template_notes, all templates": long,
        "policies": builders["policies"],
    }
    files = {
        kind: _build(kind.partition(",")[0], settings, folder / kind, system)
        for kind, settings in kinds.items()
    }
    return {**also, **files}


def _pairs(folder: Path, system: CodeSystem) -> Path:
    return _build("icd10cm", {}, folder / "pairs", system)


def _build(name: str, settings: dict[str, Any], folder: Path, system: CodeSystem) -> Path:
    builder = find_builder(name)
    return build(builder, configure(builder, settings), folder, system).data


def realism(data: Path, also: dict[str, Path]) -> dict[str, Any]:
    """Return how well a classifier tells synthetic notes from real ones, and what they look like."""
    system = CodeSystem.load()
    with tempfile.TemporaryDirectory(prefix="cclearn-synthetic-") as name:
        synthetic = {
            kind: [note.text for note in islice(read_coded_notes(file), 2_000)]
            for kind, file in _synthetic_notes(Path(name), 2_000, also, system).items()
        }
    real = real_texts(data)
    accuracy: dict[str, dict[str, float]] = {}
    for one, texts in synthetic.items():
        accuracy[one] = {other: told_apart(texts, real[other]) for other in real}
    names = list(real)
    accuracy["real corpora"] = {
        f"{one} and {other}": told_apart(real[one], real[other])
        for index, one in enumerate(names)
        for other in names[index + 1 :]
    }
    described = {name: describe(texts) for name, texts in {**synthetic, **real}.items()}
    return {"accuracy": accuracy, "texts": described}


def real_texts(data: Path) -> dict[str, list[str]]:
    """Return the notes of ACI-Bench, the sections of MTS-Dialog, and the training cases of CodiEsp."""
    aci = [
        row["note"]
        for path in sorted((data / "aci_bench").glob("*.csv"))
        if "metadata" not in path.name
        for row in _rows(path)
    ]
    mts = [
        row["section_text"]
        for path in sorted((data / "mts_dialog").glob("*.csv"))
        for row in _rows(path)
    ]
    options = CodiEspOptions(split="train", language="en")
    cases = CodiEsp().read(data / "codiesp", "train", options, CodeSystem.load())
    return {"ACI-Bench": aci, "MTS-Dialog": mts, "CodiEsp": [note.text for note in cases]}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(path.read_text(encoding="utf-8").splitlines(keepends=True))


def told_apart(one: Sequence[str], two: Sequence[str]) -> float:
    """Return the accuracy of a classifier on windows of notes that it was not trained on.

    Both classes have the same number of windows, of the same lengths. No note is in two folds.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    first, second = windows(one), windows(two)
    count = min(len(first), len(second), WINDOWS)
    texts, groups, labels = [], [], []
    for label, chosen in enumerate((first, second)):
        rng = random.Random(label)  # noqa: S311 - reproducible
        for number, text in rng.sample(chosen, count):
            texts.append(text)
            groups.append(2 * number + label)
            labels.append(label)
    lengths = sorted(len(text) for text in texts)
    shortest = lengths[len(lengths) // 20]
    texts = [text[: max(shortest, WINDOW // 3)] for text in texts]
    pipeline = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, min_df=2),
        LogisticRegression(C=10, max_iter=1_000),
    )
    scores = cross_val_score(pipeline, texts, labels, groups=groups, cv=GroupKFold(5))
    return round(float(np.mean(scores)), 3)


def windows(texts: Iterable[str]) -> list[tuple[int, str]]:
    """Return windows of texts, each with the number of its text."""
    found = []
    for number, text in enumerate(texts):
        for start in range(0, max(1, len(text) - WINDOW // 2), WINDOW):
            window = text[start : start + WINDOW]
            if len(window) >= WINDOW // 3:
                found.append((number, window))
    return found


def describe(texts: Sequence[str]) -> dict[str, float]:
    """Return the lengths, the openings and the vocabulary of texts."""
    lengths = sorted(len(text) for text in texts)
    words = " ".join(texts).lower().split()[:50_000]
    return {
        "texts": len(texts),
        "characters_median": lengths[len(lengths) // 2],
        "characters_p90": lengths[len(lengths) * 9 // 10],
        "distinct_openings": round(len({text[:30].lower() for text in texts}) / len(texts), 3),
        "words": len(words),
        "distinct_words": len(set(words)),
    }


def use(data: Path, also: dict[str, Path]) -> dict[str, Any]:
    """Return the scores of the lexicon and of recognisers that were trained on synthetic notes."""
    system = CodeSystem.load()
    options = CodiEspOptions(split="dev", language="en")
    tests = {
        "policy notes": list(read_coded_notes(POLICY_NOTES, system)),
        "CodiEsp, English": list(CodiEsp().read(data / "codiesp", "dev", options, system)),
    }
    coded: dict[str, dict[str, list[CodedNote]]] = {test: {} for test in tests}
    characters = {}
    with tempfile.TemporaryDirectory(prefix="cclearn-synthetic-") as name:
        folder = Path(name)
        coders = {"lexicon": Coder.lexicon()}
        for number, (kind, file) in enumerate(
            _synthetic_notes(folder, 5_000, also, system).items()
        ):
            work = folder / f"arm-{number}"
            work.mkdir()
            documents = work / "documents.jsonl"
            characters[kind] = write_rows_up_to(documents, read_coded_notes(file), CHARACTERS)
            evidence = {"files": [str(documents)], "grade": "gold"}
            own = _build("note_evidence", evidence, work / "pairs", system)
            merged = {"files": [str(folder / "pairs" / "pairs.jsonl"), str(own)]}
            strings = _build("merge", merged, work / "strings", system)
            trained = train_recogniser(documents, work / "spacy", "en")
            loop = LoopSettings(recogniser=f"spacy:{trained}", segments="sentence")
            coders[kind] = load_coder(CoderSettings(pairs=strings, loop=loop), system)
        for test, gold in tests.items():
            for coder_name, coder in coders.items():
                coded[test][coder_name] = list(coder.code_many(note.note for note in gold))
                print(test, coder_name, file=sys.stderr, flush=True)
    scores = {test: scores_of(gold, coded[test], system) for test, gold in tests.items()}
    first = "policy notes"
    scores[f"{first} by category"] = by_category(tests[first], coded[first], system)
    return {"characters": characters, "scores": scores}


def scores_of(
    gold: Sequence[CodedNote], coded: dict[str, list[CodedNote]], system: CodeSystem
) -> dict[str, dict[str, Any]]:
    """Return the scores of each coder with their intervals."""
    compared = evaluate(gold, coded, system, Settings(draws=1_000))
    return {
        name: {score: asdict(found.scores[score]) for score in SCORES if score in found.scores}
        for name, found in compared.evaluations.items()
    }


def by_category(
    gold: Sequence[CodedNote], coded: dict[str, list[CodedNote]], system: CodeSystem
) -> dict[str, dict[str, Any]]:
    """Return the micro F1 of each coder on the notes of each category."""
    found: dict[str, dict[str, Any]] = {}
    for category in sorted({str(note.metadata["category"]) for note in gold}):
        some = [note for note in gold if note.metadata["category"] == category]
        ids = {note.id for note in some}
        predicted = {name: [n for n in notes if n.id in ids] for name, notes in coded.items()}
        compared = evaluate(some, predicted, system, Settings(draws=1_000))
        found[category] = {
            name: asdict(result.scores["micro_f1"]) for name, result in compared.evaluations.items()
        }
    return found


def write_rows_up_to(path: Path, notes: Iterable[CodedNote], most: int) -> int:
    """Write notes until they have a number of characters. Return their number of characters."""
    kept: list[CodedNote] = []
    characters = 0
    for note in notes:
        if characters >= most:
            break
        kept.append(note)
        characters += len(note.text)
    write_rows(path, kept)
    return characters


if __name__ == "__main__":
    main()
