"""The arms: which rows they have, and how often, so that all of them have the same number of tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.claim.data import ArmFiles
from cclearn.codes import CodeSystem
from cclearn.training.choose import choose_rows
from cclearn.training.initial_model import initial_tokenizer
from cclearn.training.prepare import prepare_rows
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe

ArmName = Literal["documents", "own-spans", "mixed", "mixed-plain", "span-then-document", "spans"]

WARM_UP = 0.02
"""Share of the steps during which the learning rate rises. It is constant afterwards, so that a point in
the middle of a run is the end of a shorter one."""


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm of the comparison.

    Attributes:
        name: Name of the arm.
        ratio: Tokens of spans for each token of documents. Arms with one kind of rows ignore it.
        tokens: Number of tokens that the run is trained on.
        seed: Seed of the initial weights and of the order of the rows.
    """

    name: ArmName
    ratio: int
    tokens: int
    seed: int

    @property
    def label(self) -> str:
        """Name of the arm in paths."""
        ratio = "" if self.name in ("documents", "spans") else f"-1-{self.ratio}"
        return f"{self.name}{ratio}-seed{self.seed}"

    def shares(self) -> dict[str, float]:
        """Return the share of the tokens of each source: `documents`, `document_pairs`, `spans` and
        `variants`."""
        if self.name == "documents":
            return {"documents": 1.0}
        spans = 1.0 if self.name == "spans" else self.ratio / (self.ratio + 1)
        shares = {} if self.name == "spans" else {"documents": 1 - spans}
        if self.name == "own-spans":
            return {**shares, "document_pairs": spans}
        if self.name == "mixed-plain":
            return {**shares, "spans": spans}
        return {**shares, "spans": spans / 2, "variants": spans / 2}


def arm_recipe(arm: Arm, base: Path, recipe: Path, files: ArmFiles, output: Path) -> Recipe:
    """Return the recipe of an arm: one epoch, in which the rows of each source are repeated until they
    have their share of the tokens.

    Args:
        arm: The arm.
        base: Folder of the model that training starts from.
        recipe: Path of the recipe of the model.
        files: Data of the arm.
        output: Output folder of the run.
    """
    shares = arm.shares()
    sources: list[dict[str, Any]] = [
        {"kind": "document" if name == "documents" else "span", "path": str(getattr(files, name))}
        for name in shares
    ]
    order = "span_then_document" if arm.name == "span-then-document" else "mixed"
    settings = [
        f"model.path={json.dumps(str(base))}",
        f"output={json.dumps(str(output))}",
        f"seed={arm.seed}",
        f"rows.order={order}",
        f"training.warmup={WARM_UP}",
        "training.scheduler=constant_with_warmup",
    ]

    def with_sources() -> Recipe:
        return load_recipe(recipe, [*settings, f"rows.sources={json.dumps(sources)}"])

    sizes = source_tokens(with_sources())
    for source, name in zip(sources, shares, strict=True):
        source["repeats"] = arm.tokens * shares[name] / sizes[source["path"]]
    return with_sources()


def source_counts(arm: Arm, manifest: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return what an arm was trained on, by the name of the source.

    `repeats` is how often the rows were repeated, `tokens` and `supervised_tokens` are the tokens of all
    repetitions and those of them that contribute to the loss.

    Args:
        arm: The arm.
        manifest: Manifest of its model.
    """
    repeats = [source["repeats"] for source in manifest["recipe"]["rows"]["sources"]]
    return {
        name: {
            "repeats": number,
            "tokens": round(number * part["tokens"]),
            "supervised_tokens": round(number * part["supervised_tokens"]),
        }
        for name, number, part in zip(arm.shares(), repeats, manifest["rows"], strict=True)
    }


def source_tokens(recipe: Recipe) -> dict[str, int]:
    """Return the number of tokens of the rows of each source, by its path. Each row counts once."""
    system = CodeSystem.load()
    chosen = choose_rows(recipe, system)
    rows = [row for source in chosen for row in source.rows]
    prepared = prepare_rows(recipe, chosen, initial_tokenizer(recipe, rows, system))
    sizes: dict[str, int] = {}
    for part in prepared.epoch_rows:
        sizes[str(part.source)] = sizes.get(str(part.source), 0) + part.tokens
    return sizes
