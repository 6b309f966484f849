"""Targets of recipes, models and training runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.seeds import STOPPED
from tests.fuzz.targets.target import Target
from tests.training.runs import overrides


def recipe_targets() -> Iterator[Target]:
    needs = ("pairs.jsonl", "gold.jsonl")
    yield Target(
        "recipes validate",
        "yaml",
        "recipe.yaml",
        ("recipes", "validate", "recipe.yaml"),
        needs,
        weight=6,
    )
    dry = ("recipes", "validate", "recipe.yaml", "--dry-run")
    yield Target(
        "recipes validate --dry-run", "yaml", "recipe.yaml", dry, needs, weight=2, model=True
    )
    for file in needs:
        other = tuple(name for name in needs if name != file)
        yield Target(
            "recipes validate --dry-run", "jsonl", file, dry, ("recipe.yaml", *other), model=True
        )
    yield Target(
        "recipes show", "yaml", "recipe.yaml", ("recipes", "show", "recipe.yaml"), shows_notes=True
    )
    yield Target("recipes cp", "yaml", "recipe.yaml", ("recipes", "cp", "recipe.yaml", "copy.yaml"))
    for setting in ("training.steps=3", "rows.sources.0.share=0.5", "model.scratch.layers=2", "seed=1",
                 "rows.sources.1.share=0.5", "training.batch_tokens=600"):  # fmt: skip
        command = ("recipes", "validate", "recipe.yaml", "{}")
        yield Target(
            "recipes override", "setting", setting, command, (*needs, "recipe.yaml"), weight=0.4
        )


def model_targets() -> Iterator[Target]:
    small = ("--engine", "max_new_tokens=8", "--engine", "batch_size=2")
    code = ("code", "note.txt", "--model", "model", *small)
    for file, kind, weight in (
        ("config.json", "json", 4.0),
        ("generation_config.json", "json", 2.0),
        ("tokenizer.json", "json", 4.0),
        ("tokenizer_config.json", "json", 4.0),
        ("chat_template.jinja", "template", 6.0),
        ("manifest.json", "json", 2.0),
        ("model.safetensors", "safetensors", 2.0),
    ):
        yield Target(f"model/{file}", kind, f"model/{file}", code, ("model", "note.txt"),
                     shows_notes=True, weight=weight, model=True, holds_notes=False)  # fmt: skip
    loop = (*code, "--mode", "span_loop", "--loop", "candidates=4")
    for file, kind in (
        ("config.json", "json"),
        ("tokenizer_config.json", "json"),
        ("chat_template.jinja", "template"),
    ):
        yield Target(
            "span_loop",
            kind,
            f"model/{file}",
            loop,
            ("model", "note.txt"),
            shows_notes=True,
            model=True,
            holds_notes=False,
        )
    cached = ("code", "note.txt", "--model", "model", *small, "--engine", "cache=answers.sqlite")
    yield Target(
        "cache",
        "binary",
        "answers.sqlite",
        cached,
        ("model", "note.txt"),
        shows_notes=True,
        model=True,
        holds_notes=False,
    )
    adapted = ("code", "note.txt", "--model", "lora", *small)
    merge = ("merge", "lora", "--out", "merged")
    for file, kind in (("adapter_config.json", "json"), ("adapter_model.safetensors", "safetensors"),
                       ("tokenizer_config.json", "json"), ("manifest.json", "json")):  # fmt: skip
        yield Target(
            "adapter",
            kind,
            f"lora/{file}",
            adapted,
            ("lora", "model", "note.txt"),
            shows_notes=True,
            weight=1.5,
            model=True,
            holds_notes=False,
        )
        yield Target(
            "merge", kind, f"lora/{file}", merge, ("lora", "model"), model=True, holds_notes=False
        )
    spacy = ("code", "note.txt", "--mode", "span_loop", "--loop", "recogniser=spacy:spacy")
    settings = ("meta.json", "ner/cfg", "vocab/strings.json")
    packed = ("config.cfg", "tokenizer", "ner/model", "ner/moves", "vocab/vectors")
    packed += ("span_ruler/patterns",)
    for file, kind in (*((f, "json") for f in settings), *((f, "binary") for f in packed)):
        yield Target(
            "spaCy",
            kind,
            f"spacy/{file}",
            spacy,
            ("spacy", "note.txt"),
            shows_notes=True,
            model=True,
            holds_notes=False,
        )
    dry = ("recipes", "validate", "recipe.yaml", "model.scratch=null", "model.path=model",
           "adapter={kind: lora, rank: 2}", "training.optimizer=adamw", "--dry-run")  # fmt: skip
    for file in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        needs = ("model", "recipe.yaml", "pairs.jsonl", "gold.jsonl")
        yield Target(
            "dry-run of a model", "json", f"model/{file}", dry, needs, model=True, holds_notes=False
        )
    for file in ("rows/pairs/pairs.jsonl", "rows/notes/notes.jsonl"):
        yield Target(
            "sft", "jsonl", file, _sft("run", "training.steps=1"), ("rows",), "sft", model=True
        )
    for file, kind in (
        ("complete.json", "json"),
        ("trainer_state.json", "json"),
        ("config.json", "json"),
        ("model.safetensors", "safetensors"),
        ("optimizer.pt", "binary"),
        ("rng_state.pth", "binary"),
        ("scheduler.pt", "binary"),
        ("metrics.jsonl", "jsonl"),
        ("tokenizer.json", "json"),
    ):
        checkpoint_file = f"stopped.checkpoints/step-00000001/{file}"
        resume = ("--resume", "auto", *_sft("stopped", *STOPPED))
        needs = ("stopped.checkpoints", "rows")
        yield Target(
            "sft --resume",
            kind,
            checkpoint_file,
            resume,
            needs,
            "sft",
            weight=0.3,
            model=True,
            holds_notes=False,
        )
        if (
            file != "complete.json"
        ):  # Damage that the hash does not reveal, because it is corrected.
            sealed = Target(
                "sft --resume, sealed",
                kind,
                checkpoint_file,
                resume,
                needs,
                "sft",
                weight=0.3,
                model=True,
                holds_notes=False,
                group="sealed",
            )
            yield sealed


def _sft(output: str, *settings: str) -> tuple[str, ...]:
    return ("--config", "tiny/sft_scratch", *overrides(Path("rows"), Path(output), *settings))
