"""The manifest of a run, which records everything that is needed to repeat it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cclearn
from cclearn.codes import CodeSystem
from cclearn.gguf_files import model_folder
from cclearn.model_manifest import read_manifest
from cclearn.prompts import prompt_hash
from cclearn.rows import EncodedRow
from cclearn.runtime.files import sha256_of_file, sha256_of_text
from cclearn.training.recipe import Recipe
from cclearn.weights import RECORDED, RECORDED_BASE, sha256_of_weights

_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
    "llguidance",
)


def rows_hash(rows: Iterable[EncodedRow]) -> str:
    """Return the SHA-256 of encoded rows: their ids, tokens, numbers of supervised tokens and labels."""
    return sha256_of_text("\n".join(map(_row_line, rows)))


def _row_line(row: EncodedRow) -> str:
    labels = "" if row.codes is None else f" {' '.join(row.codes)}"
    return f"{row.id} {row.input_ids} {sum(row.completion_mask)}{labels}"


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that influence the result of a run."""
    found = {"cclearn": cclearn.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def weight_hashes(recipe: Recipe, folder: Path) -> dict[str, str]:
    """Return the hash of the saved weights and, for an adapter, that of the base model's weights.

    Args:
        recipe: Recipe of the run.
        folder: Folder where the run saved its weights.
    """
    hashes = {RECORDED: sha256_of_weights(folder)}
    base = Path(model_folder(recipe.model.path or ""))
    if recipe.adapter.kind != "none" and recipe.model.path and base.is_dir():
        hashes[RECORDED_BASE] = sha256_of_weights(base)
    return hashes


def describe_run(recipe: Recipe, system: CodeSystem, **measured: Any) -> dict[str, Any]:
    """Return the manifest of a run.

    Args:
        recipe: Recipe of the run, with overrides applied.
        system: Code system of the rows.
        measured: Further entries, which the run has counted or measured.
    """
    base = read_manifest(model_folder(recipe.model.path)) if recipe.model.path else None
    return {
        "recipe": recipe.settings(),
        "base_licence": (base or {}).get("licence"),
        "versions": package_versions(),
        "code_system": {"name": system.name, "release": system.release, "source": system.source},
        "prompt_sha256": prompt_hash(system.name, recipe.rows.template),
        "sources_sha256": {str(path): sha256_of_file(path) for path in recipe.files},
        **measured,
    }
