"""Small training runs, in this process and through the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.models import SHAPE

ROOT = Path(__file__).parents[2]

ENCODER = {"hidden_size": 64, "layers": 2, "heads": 2, "intermediate_size": 128, "vocabulary": 1000}


def build_data(folder: Path, system: CodeSystem) -> Path:
    """Build span pairs and 20 notes in a folder. Return the folder."""
    gold = find_builder("icd10cm")
    pairs = build(gold, configure(gold, {"under": "I21"}), folder / "pairs", system).data
    notes = find_builder("template_notes")
    short = {"most_codes": 2, "longest_mention": 40}
    config = configure(notes, {"pairs": str(pairs), "notes": 20, **short})
    build(notes, config, folder / "notes", system)
    return folder


def plm_recipe(data: Path, output: Path, *more: str) -> Recipe:
    """Return a recipe of six steps for a discriminative coder."""
    return load_recipe(
        "tiny/plm_ca",
        [
            f"output={json.dumps(str(output))}",
            f"rows.sources.0.path={json.dumps(str(data / 'pairs' / 'pairs.jsonl'))}",
            f"rows.sources.1.path={json.dumps(str(data / 'notes' / 'notes.jsonl'))}",
            *(f"model.scratch.{key}={value}" for key, value in ENCODER.items()),
            "training.epochs=null",
            "training.steps=6",
            "training.log_every=1",
            "baseline.chunk=32",
            "development=null",
            *more,
        ],
    )


def overrides(data: Path, output: Path, *more: str) -> list[str]:
    """Return the overrides that make the tiny recipe a run of six steps on the data of the tests."""
    return [
        f"output={json.dumps(str(output))}",
        f"rows.sources.0.path={json.dumps(str(data / 'pairs' / 'pairs.jsonl'))}",
        f"rows.sources.1.path={json.dumps(str(data / 'notes' / 'notes.jsonl'))}",
        *(
            f"model.scratch.{key}={value}"
            for key, value in SHAPE.model_dump(exclude_none=True).items()
        ),
        "training.batching=packed",
        "training.batch_tokens=null",
        "training.steps=6",
        "training.log_every=1",
        *more,
    ]


def tiny_recipe(data: Path, output: Path, *more: str) -> Recipe:
    """Return a recipe of six steps."""
    return load_recipe("tiny/sft_scratch", overrides(data, output, *more))


def adapting(base: Path, kind: str, *more: str) -> list[str]:
    """Return the overrides that make a recipe train an adapter for the model of another run."""
    return [
        "model.scratch=null",
        f"model.path={json.dumps(str(base))}",
        f"adapter={{kind: {kind}, rank: 8, alpha: 16}}",
        "training.optimizer=adamw",
        *more,
    ]


def script(data: Path, output: Path, *more: str, accelerate: tuple[str, ...] = ()) -> list[str]:
    """Return the command line that launches a run of six steps."""
    config = str(ROOT / "recipes" / "tiny" / "sft_scratch.yaml")
    launch = [sys.executable, "-m", "accelerate.commands.launch"]
    launch += accelerate or ("--config_file", str(ROOT / "recipes" / "accelerate" / "cpu.yaml"))
    sft = str(ROOT / "recipes" / "sft.py")
    options = [word for word in more if word.startswith("--") or word == "auto"]
    settings = [word for word in more if word not in options]
    return [*launch, sft, "--config", config, *options, *overrides(data, output, *settings)]


def losses(folder: Path) -> list[tuple[int, float]]:
    """Return the steps and losses in the metrics of a run."""
    entries = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(entry["step"], entry["loss"]) for entry in entries if "loss" in entry]
