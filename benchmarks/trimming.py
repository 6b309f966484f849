"""Training and coding with the whole and the trimmed vocabulary of a model (`model.trim_vocabulary`).

python benchmarks/trimming.py MODEL [--data FOLDER] [--notes 16] [--steps 4] [--rounds 3]

MODEL is the folder of Gemma 3 270M, which `cclearn models assemble` wrote. FOLDER contains `codiesp`,
whose notes are coded; without it, template notes are. All weights are trained, on span rows and
document rows with equal shares of the tokens, which are the same in both variants. `single_pass` then
codes notes in batches of 16; no answer ends before 64 tokens, unless it repeats a line. The variants run
in turn in one process, and the median round is reported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from measure import save
from random_models import built_notes, corpus_notes, prevent_short_answers, timed
from training import SHORT_WARM_UP, make_data, recipe_of, with_cclearn

from cclearn.codes import CodeSystem
from cclearn.coding.single_pass.coder import LLMCoder
from cclearn.engines.local import LocalEngine
from cclearn.runtime.progress import quiet_libraries
from cclearn.training.recipe import Recipe
from cclearn.training.sft import make_job

BATCH, ANSWER = 16, 64


def saved(recipe: Recipe, folder: Path, system: CodeSystem) -> int:
    """Write the model that a recipe starts from. Return the number of its weights."""
    trainer = make_job(recipe, system)
    model = trainer.make_trainer(folder / "trainer", []).model
    model.to(torch.bfloat16).save_pretrained(folder)
    trainer.tokenizer.save_pretrained(folder)
    return int(model.num_parameters())


def coder_of(folder: Path, system: CodeSystem) -> LLMCoder:
    """Return a coder whose answers have at least 64 tokens."""
    engine = LocalEngine.load(str(folder), batch_size=BATCH, max_new_tokens=ANSWER)
    prevent_short_answers(engine)
    return LLMCoder(engine, system)


def measure(
    folder: Path, model: Path, corpora: Path | None, notes: int, steps: int, rounds: int
) -> dict[str, Any]:
    """Measure both variants.

    Args:
        folder: Folder for the data and the models.
        model: Folder of the model with its whole vocabulary.
        corpora: Folder with CodiEsp. None codes template notes.
        notes: Number of notes that are coded.
        steps: Number of training steps, the first of which is not measured.
        rounds: Number of rounds.
    """
    system = CodeSystem.load()
    data = make_data(folder, 2_000)
    common = [f"model.path={json.dumps(str(model.resolve()))}", "training.epochs=null"]
    common += [f"training.steps={steps}", "training.accumulation=1", "training.save_every=0"]
    settings = {"whole": common, "trimmed": [*common, "model.trim_vocabulary=true"]}
    recipes = {
        name: recipe_of("gemma-3-270m/sft_full", data, folder, changed)
        for name, changed in settings.items()
    }
    trained: dict[str, list[float]] = {name: [] for name in recipes}
    for _ in range(rounds):
        for name, recipe in recipes.items():
            found = with_cclearn(recipe, folder, SHORT_WARM_UP)
            print(name, found, flush=True)
            trained[name].append(found["tokens_per_second"])
    weights = {name: saved(recipe, folder / name, system) for name, recipe in recipes.items()}
    if corpora is None:
        some = built_notes(notes, folder / "coded", system)
    else:
        some = [n.note for n in islice(corpus_notes("codiesp", corpora, system, "dev"), notes)]
    coders = {name: coder_of(folder / name, system) for name in recipes}
    answers: dict[str, int] = {}
    coded: dict[str, list[float]] = {name: [] for name in recipes}
    for index in range(rounds + 1):
        for name, coder in coders.items():
            before = coder.usage.answer_tokens
            taken = timed(lambda coder=coder: list(coder.code_many(some)))
            answers[name] = coder.usage.answer_tokens - before
            print(name, taken, answers[name], flush=True)
            if index:  # The first round is a warm-up.
                coded[name].append(notes / taken)
    medians = {
        "training_tokens_per_second": {n: statistics.median(r) for n, r in trained.items()},
        "coding_notes_per_second": {n: round(statistics.median(r), 3) for n, r in coded.items()},
    }
    return {
        "model": model.name,
        "parameters": weights,
        "notes_from": "codiesp" if corpora else "builders",
        "answer_tokens": answers,
        "rounds": {"training": trained, "coding": coded},
        **medians,
        "ratios": {key: round(of["trimmed"] / of["whole"], 2) for key, of in medians.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of Gemma 3 270M")
    parser.add_argument("--data", type=Path, help="folder that contains codiesp")
    parser.add_argument("--notes", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as name:
        figures = measure(
            Path(name),
            arguments.model,
            arguments.data,
            arguments.notes,
            arguments.steps,
            arguments.rounds,
        )
    save("trimming", figures)


if __name__ == "__main__":
    main()
