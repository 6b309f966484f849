"""Supervised fine-tuning on span rows and document rows in one run, on TRL's SFTTrainer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
    set_seed,
)
from trl import SFTConfig, SFTTrainer

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.files import atomic_folder, refuse_existing, write_json
from cclearn.memory import peak_gpu_mib, peak_mib
from cclearn.rows import EncodedRow, TrainingRow, encode_rows, mix, read_source
from cclearn.training.manifest import describe_run, rows_hash
from cclearn.training.optimizer import MuonWithAdamW
from cclearn.training.recipe import Recipe, Training
from cclearn.training.scratch import make_model, make_tokenizer

Progress = Callable[[int, int, float | None], None]
"""Called with the steps done, the steps in all, and the loss where it is known."""


def run_sft(recipe: Recipe, overwrite: bool = False, progress: Progress | None = None) -> Path:
    """Train a model as a recipe says.

    The output folder appears only when the run is complete: the model (safetensors) and its
    tokenizer, `manifest.json`, and `metrics.jsonl` with the loss.

    Args:
        recipe: What to do.
        overwrite: Whether the output folder may be replaced.
        progress: Told of every step.

    Returns:
        The output folder.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: A row is too long, has nothing to learn, or the model cannot be loaded.
        CclearnError: The output folder exists.
    """
    refuse_existing(recipe.output, overwrite)
    set_seed(recipe.seed)
    system = CodeSystem.load(recipe.code_system.name, recipe.code_system.release)
    sources = [
        list(read_source(source.path, source.kind, system, recipe.rows.describe))
        for source in recipe.rows.sources
    ]
    _refuse_empty(recipe, sources, "it holds no rows. Name another file.")
    model, tokenizer = _start(recipe, [row for rows in sources for row in rows], system)
    encoded, reports = zip(
        *(
            encode_rows(rows, tokenizer, recipe.training.max_length, recipe.rows.overflow)
            for rows in sources
        ),
        strict=True,
    )
    _refuse_empty(recipe, encoded, "all of its rows are too long. Raise training.max_length.")
    epoch = mix(encoded, [source.share for source in recipe.rows.sources], recipe.seed)
    state = PartialState()
    with _run_folder(recipe.output, overwrite, state.is_main_process) as folder:
        folder = Path(folder)
        trainer = _trainer(recipe, model, tokenizer, epoch, folder, progress)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        if state.is_main_process:
            trainer.model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            on_gpu = model.device.type == "cuda"
            tokens = int(trainer.state.num_input_tokens_seen)
            manifest = describe_run(
                recipe,
                system,
                rows=[report for each in reports for report in _named(each)],
                rows_sha256=rows_hash(epoch),
                epoch_rows=len(epoch),
                parameters=sum(p.numel() for p in model.parameters()),
                processes=state.num_processes,
                tokens_seen=tokens,
                seconds=round(seconds, 1),
                gpu_seconds=round(seconds * state.num_processes, 1) if on_gpu else 0.0,
                peak_mib=peak_mib(),
                peak_gpu_mib=peak_gpu_mib(),
                tokens_per_second=round(tokens / seconds, 1),
            )
            write_json(folder / "manifest.json", manifest)
        state.wait_for_everyone()
    return recipe.output


def _run_folder(
    output: Path, overwrite: bool, is_main_process: bool
) -> AbstractContextManager[Path | str]:
    """Give the main process the run's folder, and every other one a folder that goes again."""
    return atomic_folder(output, overwrite) if is_main_process else TemporaryDirectory()


def _refuse_empty(recipe: Recipe, sources: Sequence[Sequence[object]], problem: str) -> None:
    empty = [s.path for s, rows in zip(recipe.rows.sources, sources, strict=True) if not rows]
    if empty:
        raise ConfigurationError([f"rows.sources (path = {path}): {problem}" for path in empty])


def _named(reports: dict[str, Any]) -> list[dict[str, object]]:
    return [{"kind": kind, **report.as_dict()} for kind, report in reports.items()]


def _start(
    recipe: Recipe, rows: list[TrainingRow], system: CodeSystem
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the model that the run starts from, and its tokenizer."""
    scratch = recipe.model.scratch
    if scratch is not None:
        made = make_tokenizer(rows, scratch.vocabulary, system.name)
        return make_model(scratch, made, recipe.training.max_length), made
    name = str(recipe.model.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            name, revision=recipe.model.revision, trust_remote_code=False
        )
        model = AutoModelForCausalLM.from_pretrained(
            name, revision=recipe.model.revision, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigurationError(
            [f"model.path (path = {name}): it cannot be loaded: {reason}"]
        ) from None
    return model, tokenizer


def _trainer(
    recipe: Recipe,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[EncodedRow],
    folder: Path,
    progress: Progress | None,
) -> SFTTrainer:
    training = recipe.training
    on_gpu = torch.cuda.is_available()
    arguments = SFTConfig(
        output_dir=str(folder),
        seed=recipe.seed,
        data_seed=recipe.seed,
        max_steps=training.steps,
        per_device_train_batch_size=training.batch_size,
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.scheduler,
        warmup_steps=training.warmup,
        weight_decay=training.weight_decay,
        max_length=training.max_length,
        packing=training.batching == "packed",
        packing_strategy="bfd",  # Isolates the examples of a pack from each other.
        train_sampling_strategy="group_by_length" if training.batching == "grouped" else "random",
        completion_only_loss=True,
        activation_checkpointing=False,  # These models are small: speed counts, not memory.
        use_cpu=not on_gpu,
        bf16=on_gpu,
        include_num_input_tokens_seen="non_padding",
        logging_steps=20,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    dataset = Dataset.from_dict(
        {
            "input_ids": [row.input_ids for row in rows],
            "completion_mask": [row.completion_mask for row in rows],
        }
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        processing_class=tokenizer,
        optimizer_cls_and_kwargs=_optimizer(training),
        callbacks=[_Metrics(folder / "metrics.jsonl", progress)],
    )
    # Its dictionaries would be printed between the lines of the progress bar.
    trainer.remove_callback(PrinterCallback)
    return trainer


def _optimizer(training: Training) -> tuple[Callable[[], Any], dict[str, Any]] | None:
    """Return the trainer's factory for the optimizer, None for its own default, AdamW."""
    if training.optimizer == "adamw":
        return None
    settings = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
    return lambda: MuonWithAdamW, settings


class _Metrics(TrainerCallback):  # type: ignore[misc]
    """Writes the logged numbers to a file and tells the progress."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path = path
        self._progress = progress
        self._loss: float | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._progress is not None and state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, self._loss)

    def on_log(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        logs = parts.get("logs") or {}
        self._loss = logs.get("loss", self._loss)
        if state.is_world_process_zero:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"step": state.global_step, **logs}, sort_keys=True) + "\n")
