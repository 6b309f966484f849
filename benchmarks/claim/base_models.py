"""The models that arms start from, whose tokenizers are the same in all arms."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from benchmarks.claim.data import Split
from cclearn.codes import CodeSystem
from cclearn.notes.jsonl import write_rows
from cclearn.runtime.files import atomic_folder
from cclearn.training.recipe_file import load_recipe
from cclearn.training.sft import make_job

RECIPES = {name: Path(__file__).with_name(f"{name}.yaml") for name in ("small", "gemma")}
"""Recipes of the models."""

SHAPE = {
    "hidden_size": 256,
    "layers": 5,
    "heads": 4,
    "intermediate_size": 704,
    "vocabulary": 4_000,
    "initializer_range": 0.03,
}
"""Shape of the model with random weights."""


def make_base(
    model: str, source: Path | None, seed: int, split: Split, folder: Path, system: CodeSystem
) -> None:
    """Write the model that an arm starts from, unless an earlier call has written it.

    The tokenizer of the model with random weights is trained on all training notes, and the trimmed one
    of Gemma has the tokens that they need. Both are the same for all arms, which count the same tokens.

    Args:
        model: `small` or `gemma`.
        source: Folder of Gemma 3 270M. The model with random weights has none.
        seed: Seed of the random weights.
        split: Notes of the arm.
        folder: Folder for the model.
        system: Code system.
    """
    if folder.exists():
        return
    with atomic_folder(folder, False, "model") as partial:
        notes = partial / "notes.jsonl"
        write_rows(notes, split.training)
        sources = [
            {"kind": "document", "path": str(notes)},
            {"kind": "span", "path": str(notes), "negatives": 0},
        ]
        start = (
            [f"model={json.dumps({'scratch': SHAPE})}"]
            if source is None
            else [
                f"model.path={json.dumps(str(source))}",
                "model.chat_template=gemma",
                "model.trim_vocabulary=true",
            ]
        )
        recipe = load_recipe(
            RECIPES[model], [*start, f"seed={seed}", f"rows.sources={json.dumps(sources)}"]
        )
        job = make_job(recipe, system)
        weights = job.make_trainer(partial / "trainer", []).model
        if source is not None:
            weights.to(torch.bfloat16)
        weights.save_pretrained(partial)
        job.tokenizer.save_pretrained(partial)
        notes.unlink()
