"""A training run, from a recipe to the folder of a model; the same for all stages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError, foreign_errors
from cclearn.models import model_hash
from cclearn.prompts import prompt_hash
from cclearn.rows import EncodedRow
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.files import refuse_existing, sha256_of_text, write_json
from cclearn.runtime.processes import process_state, sharding
from cclearn.training.card import model_card
from cclearn.training.checkpoints import (
    METRICS,
    Checkpoint,
    checkpoint_folder,
    fingerprint,
    mark_finished,
    remove_finished,
)
from cclearn.training.development import BestWeights
from cclearn.training.initial_model import attention_implementation, computes_in_bf16, saved_dtype
from cclearn.training.manifest import describe_run, rows_hash, weight_hashes
from cclearn.training.measurements import measure
from cclearn.training.prepare import PreparedRows
from cclearn.training.recipe import Recipe
from cclearn.training.resume import Notify, find_checkpoint
from cclearn.training.run_folder import (
    reporting_write_errors,
    run_folder,
    unpublished_checkpoints,
)
from cclearn.training.saving import stored_dtype
from cclearn.training.trainer import CheckpointPublisher, MetricsWriter, Progress

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, TrainerCallback

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A run that is ready to begin.

    Attributes:
        tokenizer: Tokenizer that is saved with the model.
        make_trainer: Function that returns the trainer. It receives the folder for the trainer's files,
            and the callbacks.
        prepared: Encoded rows of the run.
        identity: What else the result of a run depends on, as hashes by name.
    """

    tokenizer: PreTrainedTokenizerBase
    make_trainer: Callable[[Path, list[TrainerCallback]], CheckpointPublisher]
    prepared: PreparedRows
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[EncodedRow]:
        """Rows of one epoch, in their order before the sampler shuffles them."""
        return [row for phase in self.prepared.phases for row in phase]


@logged_step("train model", __name__)
def run_recipe(
    recipe: Recipe,
    make_job: Callable[[Recipe, CodeSystem], Job],
    overwrite: bool = False,
    resume: str | None = None,
    progress: Progress | None = None,
    notify: Notify = lambda message: None,
) -> Path:
    """Train a model according to a recipe.

    The output folder appears only when the run is complete. It contains the model (safetensors) or its
    adapter, its tokenizer, `manifest.json`, `metrics.jsonl` with the loss, and a model card. Until then,
    checkpoints are kept in a folder beside it (`cclearn.training.checkpoints`).

    Args:
        recipe: Recipe of the run.
        make_job: Function that reads the rows and loads the model. Each stage of training has one.
        overwrite: Whether an existing output folder and existing checkpoints may be replaced.
        resume: `auto` to resume from the last complete checkpoint, the folder of a checkpoint, or None
            to begin at the first step.
        progress: Function that is called after each step. None reports nothing.
        notify: Function that receives messages for the user, for example about skipped checkpoints.

    Returns:
        The output folder.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: A row is too long or has nothing to learn, the model cannot be loaded, or the
            checkpoint belongs to another run.
        CclearnError: The output folder exists, or a file cannot be written.
    """
    state = process_state()
    checkpoints = checkpoint_folder(recipe.output)
    if state.is_main_process:
        remove_finished(checkpoints, recipe.output / _MANIFEST)
    refuse_existing(recipe.output, overwrite, tidy=state.is_main_process)
    system = CodeSystem.load(recipe.code_system.name, recipe.code_system.release)
    job = make_job(recipe, system)
    run = _fingerprint(recipe, system, job)
    dtype = saved_dtype(recipe)
    start = find_checkpoint(checkpoints, resume, overwrite, run, notify)
    with (
        run_folder(recipe.output, overwrite) as folder,
        unpublished_checkpoints(checkpoints, recipe.training.save_every) as unpublished,
    ):
        metrics = folder / METRICS
        if start is not None and state.is_main_process:
            shutil.copyfile(start.folder / METRICS, metrics)
        trainer = job.make_trainer(unpublished or folder, [MetricsWriter(metrics, progress)])
        best = None
        if recipe.development is not None and recipe.development.best is not None:
            best = BestWeights(recipe.development, checkpoints if unpublished else folder)
        trainer.prepare_run(checkpoints, run, recipe.training.keep, metrics, start, best)
        _train(trainer, recipe, start)
        seconds = trainer.seconds()
        with reporting_write_errors(recipe.output):
            _save_model(trainer, job.tokenizer, folder, dtype)
            if state.is_main_process:
                measured = measure(recipe, trainer, seconds, start)
                hashes = {key: run[key] for key in ("rows_sha256", "chat_template_sha256")}
                measured |= {**hashes, "end_of_turn_id": job.tokenizer.eos_token_id}
                measured |= {"dtype": stored_dtype(folder), "best_step": best and best.step}
                measured |= weight_hashes(recipe, folder)
                manifest = describe_run(recipe, system, **_row_fields(job), **measured)
                write_json(folder / _MANIFEST, manifest)
                (folder / "README.md").write_text(model_card(manifest), encoding="utf-8")
                mark_finished(checkpoints, folder / _MANIFEST)
        state.wait_for_everyone()
    if state.is_main_process:  # The model is in its final location: nothing else is needed.
        shutil.rmtree(checkpoints, ignore_errors=True)
    return recipe.output


def _fingerprint(recipe: Recipe, system: CodeSystem, job: Job) -> dict[str, Any]:
    """Return everything that determines the weights of the run in this environment."""
    return fingerprint(
        recipe,
        rows_sha256=rows_hash(job.rows),
        base_sha256=model_hash(recipe.model.path or "", recipe.model.revision),
        computes_in_bf16=computes_in_bf16(recipe.training),
        attention=attention_implementation(recipe.training),
        sharding=sharding(),
        prompt_sha256=prompt_hash(system.name, recipe.rows.template),
        chat_template_sha256=sha256_of_text(str(job.tokenizer.chat_template)),
        release=system.release,
        processes=process_state().num_processes,
        # It decides which weights are the best ones.
        development_sha256=rows_hash(job.prepared.development),
        **job.identity,
    )


def _train(trainer: CheckpointPublisher, recipe: Recipe, start: Checkpoint | None) -> None:
    """Train from the beginning or from a checkpoint."""
    if start is None:
        trainer.train()
        return
    with foreign_errors(_resume_error(recipe, start)):
        trainer.train(resume_from_checkpoint=str(start.folder))


def _resume_error(recipe: Recipe, start: Checkpoint) -> Callable[[str], CclearnError]:
    """Return a function that makes the error of a checkpoint that the trainer cannot load."""
    return lambda location: ConfigurationError(
        [
            f"resume (checkpoint = {start.folder}): it cannot be loaded ({location}). Remove it to"
            f" resume from the one before, or start {recipe.name} again with --overwrite."
        ]
    )


def _save_model(
    trainer: CheckpointPublisher,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    dtype: torch.dtype | None,
) -> None:
    """Save the weights, which all processes take part in, and the tokenizer.

    The weights are rounded to `dtype` if it is not None.
    """
    trainer.save_final(folder, dtype)
    if process_state().is_main_process:
        tokenizer.save_pretrained(folder)
        (folder / "training_args.bin").unlink(missing_ok=True)


def _row_fields(job: Job) -> dict[str, Any]:
    """Return the fields of the manifest that describe the rows of the run."""
    return {
        "rows": job.prepared.describe_rows(),
        "contaminated": job.prepared.contaminated_ids(),
        "development_sha256": rows_hash(job.prepared.development),
        "development_rows": len(job.prepared.development),
        "epoch_rows": len(job.rows),
    }
