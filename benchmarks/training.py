"""Useful tokens per second of mixed rows: cclearn's recipes, TRL's defaults, and a plain PyTorch loop.

python benchmarks/training.py                   4 M parameters on the CPU
python benchmarks/training.py --model FOLDER    Gemma 3 270M on the CPU, all weights, in bf16
python benchmarks/training.py --gpu             Llama-3.1-8B's shape, random weights, on one GPU

Useful tokens are the tokens of prompts and completions, without padding. Half of the tokens are those of
span rows. All variants run in turn in one process, each after a warm-up of three steps, or of one step
with `--model`. Of several rounds, the median one is reported.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from measure import save
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from cclearn.codes import CodeSystem
from cclearn.runtime.progress import quiet_libraries
from cclearn.training import sft
from cclearn.training.choose import choose_rows
from cclearn.training.dry_run import dry_run
from cclearn.training.estimate import estimate_operations
from cclearn.training.initial_model import (
    adapter_config,
    computes_in_bf16,
    initial_model,
    initial_tokenizer,
)
from cclearn.training.prepare import prepare_rows
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe
from cclearn.training.run import Job
from cclearn.training.scratch import make_tokenizer
from data_builders.builder import configure, find_builder
from data_builders.output import build

WARM_UP = 3
SHORT_WARM_UP = 1
SHAPE = {"hidden_size": 256, "layers": 5, "heads": 4, "intermediate_size": 704}
H200_BF16 = 989.5e12
"""Dense floating-point operations per second, from NVIDIA's data sheet."""


class Clock(TrainerCallback):  # type: ignore[misc]
    """Records when each step ended, and the number of tokens that had been read by then.

    Args:
        warm_up: Number of steps that are not measured.
    """

    def __init__(self, warm_up: int = WARM_UP) -> None:
        self.ends: list[tuple[float, int]] = []
        self._warm_up = warm_up

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append((time.perf_counter(), int(state.num_input_tokens_seen)))

    def figures(self) -> dict[str, float]:
        """Return the tokens per second after the warm-up."""
        (start, before), (end, after) = self.ends[self._warm_up - 1], self.ends[-1]
        steps = len(self.ends) - self._warm_up
        return {
            "tokens_per_second": round((after - before) / (end - start), 1),
            "tokens_per_step": round((after - before) / steps, 1),
            "seconds_per_step": round((end - start) / steps, 4),
        }


def make_data(folder: Path, notes: int) -> dict[str, Path]:
    """Write the span pairs of a chapter and template notes. Return the path of each."""
    system = CodeSystem.load()
    spans = find_builder("icd10cm")
    pairs = build(spans, configure(spans, {"under": "9"}), folder / "pairs", system).data
    writer = find_builder("template_notes")
    config = configure(writer, {"pairs": str(pairs), "notes": notes})
    documents = build(writer, config, folder / "notes", system).data
    return {"span": pairs.with_suffix(".jsonl"), "document": documents.with_suffix(".jsonl")}


def recipe_of(name: str, data: dict[str, Path], folder: Path, settings: Sequence[str]) -> Recipe:
    """Return a recipe on the benchmark's data. Half of the tokens are those of span rows."""
    sources = [
        {"kind": "span", "path": str(data["span"]), "share": 0.5},
        {"kind": "document", "path": str(data["document"]), "share": 0.5},
    ]
    overrides = [f"output={json.dumps(str(folder / 'out'))}", "rows.evaluation=[]", *settings]
    return load_recipe(name, [f"rows.sources={json.dumps(sources)}", *overrides])


def with_cclearn(recipe: Recipe, folder: Path, warm_up: int = WARM_UP) -> dict[str, Any]:
    """Train as `recipes/sft.py` does, and return the speed."""
    clock = Clock(warm_up)
    job = _job(recipe)
    trainer = job.make_trainer(folder, [clock])
    trainer.train()
    return _measured(clock, trainer)


def trl_defaults(
    recipe: Recipe, folder: Path, steps: int, warm_up: int = WARM_UP, **settings: Any
) -> dict[str, Any]:
    """Train the same model on the same rows with the defaults of TRL, and return the speed."""
    clock = Clock(warm_up)
    set_seed(recipe.seed)
    system = CodeSystem.load()
    chosen = choose_rows(recipe, system)
    tokenizer = initial_tokenizer(recipe, [row for c in chosen for row in c.rows], system)
    model = initial_model(recipe, tokenizer)
    (rows,) = prepare_rows(recipe, chosen, tokenizer).phases
    dataset = Dataset.from_list(
        [{"input_ids": r.input_ids, "completion_mask": r.completion_mask} for r in rows]
    )
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(folder),
            max_steps=steps,
            max_length=recipe.training.max_length,
            include_num_input_tokens_seen="non_padding",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **settings,
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=adapter_config(recipe, model),
        callbacks=[clock],
    )
    trainer.train()
    return _measured(clock, trainer)


def plain_loop(
    recipe: Recipe, folder: Path, completion_only: bool, warm_up: int = WARM_UP
) -> dict[str, Any]:
    """Run a plain PyTorch loop over the batches of cclearn's trainer, and return its speed.

    Args:
        recipe: Recipe that defines the model and the batches.
        folder: Folder for the files of the trainer.
        completion_only: Whether logits are computed only for supervised tokens.
        warm_up: Number of steps that are not measured.
    """
    job = _job(recipe)
    trainer = job.make_trainer(folder, [])
    batches = [
        dict(batch)
        for batch, _ in zip(
            trainer.get_train_dataloader(), range(recipe.training.steps or 0), strict=False
        )
    ]
    model = trainer.model
    del trainer
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    model.train()
    ends = []
    tokens = 0
    for batch in batches:
        labels = batch["labels"]
        inputs = {"input_ids": batch["input_ids"], "use_cache": False}
        if "position_ids" in batch:
            inputs["position_ids"] = batch["position_ids"]
        else:
            inputs["attention_mask"] = batch["attention_mask"]
        targets = functional.pad(labels[:, 1:], (0, 1), value=-100)
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_in_bf16(recipe.training)):
            if completion_only:
                hidden = model.model(**inputs).last_hidden_state[targets != -100]
                loss = functional.cross_entropy(model.lm_head(hidden), targets[targets != -100])
            else:
                logits = model(**inputs).logits
                loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        mask = batch.get("attention_mask")
        tokens += int(labels.numel() if mask is None else mask.sum())
        ends.append((time.perf_counter(), tokens))
    clock = Clock(warm_up)
    clock.ends = ends
    return clock.figures()


def _job(recipe: Recipe) -> Job:
    set_seed(recipe.seed)
    return sft.make_job(recipe, CodeSystem.load())


def _measured(clock: Clock, trainer: Any) -> dict[str, Any]:
    found: dict[str, Any] = clock.figures()
    if torch.cuda.is_available():
        found["peak_gpu_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return found


def on_cpu(folder: Path, steps: int, rounds: int) -> dict[str, Any]:
    """Measure a model of 4 M parameters."""
    data = make_data(folder, 2_000)
    common = [f"model.scratch.{key}={value}" for key, value in SHAPE.items()]
    common += ["training.max_length=512", f"training.steps={steps}", "training.optimizer=adamw"]
    common += ["training.learning_rate=1e-3"]
    batches = {
        "packed": ["training.batch_tokens=1024"],
        "grouped": ["training.batch_tokens=2048"],
        "padded": ["training.batch_tokens=null", "training.batch_size=24"],
    }
    recipes = {
        name: recipe_of(
            "tiny/sft_scratch", data, folder, [*common, f"training.batching={name}", *size]
        )
        for name, size in batches.items()
    }
    cpu_settings = {"use_cpu": True, "bf16": False}
    variants: dict[str, Callable[[], dict[str, Any]]] = {
        "packed": lambda: with_cclearn(recipes["packed"], folder),
        "grouped": lambda: with_cclearn(recipes["grouped"], folder),
        "trl_defaults": lambda: trl_defaults(recipes["padded"], folder, steps, **cpu_settings),
        "trl_defaults_no_checkpointing": lambda: trl_defaults(
            recipes["padded"], folder, steps, activation_checkpointing=False, **cpu_settings
        ),
        "bare_loop_packed": lambda: plain_loop(recipes["packed"], folder, False),
        "bare_loop_packed_completion_only": lambda: plain_loop(recipes["packed"], folder, True),
        "bare_loop_grouped_completion_only": lambda: plain_loop(recipes["grouped"], folder, True),
    }
    figures = _run(variants, rounds)
    speed = {name: figure["tokens_per_second"] for name, figure in figures.items()}
    best = max("packed", "grouped", key=speed.__getitem__)
    return {
        "parameters": dry_run(recipes["packed"]).shape.parameters,
        "steps": steps,
        "figures": figures,
        "ratios": {
            "chosen": best,
            "chosen / trl_defaults": round(speed[best] / speed["trl_defaults"], 2),
            "chosen / trl_defaults_no_checkpointing": round(
                speed[best] / speed["trl_defaults_no_checkpointing"], 2
            ),
            "packed / bare_loop_packed": round(speed["packed"] / speed["bare_loop_packed"], 2),
            "packed / bare_loop_packed_completion_only": round(
                speed["packed"] / speed["bare_loop_packed_completion_only"], 2
            ),
            "grouped / bare_loop_grouped_completion_only": round(
                speed["grouped"] / speed["bare_loop_grouped_completion_only"], 2
            ),
            "packed / grouped": round(speed["packed"] / speed["grouped"], 2),
        },
    }


def with_model(folder: Path, model: Path, steps: int, rounds: int) -> dict[str, Any]:
    """Measure the fine-tuning of all weights of a model on the CPU.

    Args:
        folder: Folder for the data.
        model: Folder of Gemma 3 270M, which `cclearn models assemble` wrote.
        steps: Number of steps of each variant. TRL's default has a step of 8 rows.
        rounds: Number of rounds.
    """
    data = make_data(folder, 2_000)
    settings = [f"model.path={json.dumps(str(model.resolve()))}", "training.epochs=null"]
    settings += [f"training.steps={steps}", "training.accumulation=1", "training.save_every=0"]
    recipe = recipe_of("gemma-3-270m/sft_full", data, folder, settings)
    warm_up = SHORT_WARM_UP
    variants: dict[str, Callable[[], dict[str, Any]]] = {
        "cclearn": lambda: with_cclearn(recipe, folder, warm_up),
        "bare_loop": lambda: plain_loop(recipe, folder, True, warm_up),
        "trl_defaults": lambda: trl_defaults(recipe, folder, steps, warm_up, use_cpu=True),
    }
    figures = _run(variants, rounds)
    speed = {name: figure["tokens_per_second"] for name, figure in figures.items()}
    return {
        "model": model.name,
        "steps": steps,
        "estimated_memory_gib": asdict(dry_run(recipe).memory[1]),
        "figures": figures,
        "ratios": {
            "cclearn / bare_loop": round(speed["cclearn"] / speed["bare_loop"], 2),
            "cclearn / trl_defaults": round(speed["cclearn"] / speed["trl_defaults"], 2),
        },
    }


def on_gpu(folder: Path, steps: int, rounds: int) -> dict[str, Any]:
    """Measure Llama-3.1-8B's shape with random weights, in packs of 4,096 tokens."""
    data = make_data(folder, 5_000)
    base = folder / "base"
    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=131072,
        rope_theta=500000.0,
        tie_word_embeddings=False,
    )
    plain = recipe_of("tiny/sft_scratch", data, folder, [])
    chosen = choose_rows(plain, CodeSystem.load())
    make_tokenizer([row for c in chosen for row in c.rows], 1500).save_pretrained(base)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(base)
    del model
    common = [f"model.path={json.dumps(str(base))}", f"training.steps={steps}"]
    common += ["training.accumulation=1", "training.save_every=0", "training.optimizer=adamw"]
    overrides = {
        "qlora": ["adapter.kind=qlora"],
        "qlora_no_checkpointing": ["adapter.kind=qlora", "training.gradient_checkpointing=false"],
        "lora": ["adapter.kind=lora"],
        "lora_no_checkpointing": ["adapter.kind=lora", "training.gradient_checkpointing=false"],
    }
    recipes = {
        name: recipe_of("llama-3.1-8b/sft_qlora", data, folder, [*common, *settings])
        for name, settings in overrides.items()
    }
    variants: dict[str, Callable[[], dict[str, Any]]] = {
        name: (lambda recipe=recipe: with_cclearn(recipe, folder))
        for name, recipe in recipes.items()
    }
    variants["trl_defaults_lora"] = lambda: trl_defaults(recipes["lora"], folder, steps)
    variants["trl_defaults_qlora"] = lambda: trl_defaults(recipes["qlora"], folder, steps)
    figures = _run(variants, rounds)
    counted = dry_run(recipes["lora"])
    mean = counted.tokens / counted.steps
    operations = estimate_operations(counted.shape, recipes["lora"], 1, min(mean, 64.0))
    for figure in figures.values():
        figure["model_flop_utilisation"] = round(
            figure["tokens_per_second"] * operations / H200_BF16, 3
        )
    return {
        "device": torch.cuda.get_device_name(),
        "operations_per_token": operations,
        "estimated_memory_gib": {n: asdict(dry_run(r).memory[0]) for n, r in recipes.items()},
        "steps": steps,
        "figures": figures,
    }


def _run(
    variants: dict[str, Callable[[], dict[str, Any]]], rounds: int
) -> dict[str, dict[str, Any]]:
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in variants.items():
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            measured[name].append(variant())
            print(name, measured[name][-1], flush=True)
    return {
        name: {
            **sorted(runs, key=lambda figures: figures["tokens_per_second"])[len(runs) // 2],
            "rounds": [figures["tokens_per_second"] for figures in runs],
        }
        for name, runs in measured.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gpu", action="store_true", help="Llama-3.1-8B's shape on one GPU")
    parser.add_argument("--model", type=Path, help="folder of Gemma 3 270M, on the CPU")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as name:
        if arguments.gpu:
            save("training_gpu", on_gpu(Path(name), arguments.steps, arguments.rounds))
        elif arguments.model:
            figures = with_model(Path(name), arguments.model, arguments.steps, arguments.rounds)
            save("training_gemma", figures)
        else:
            save("training", on_cpu(Path(name), arguments.steps, arguments.rounds))


if __name__ == "__main__":
    main()
