"""What every training run has: a folder that appears when it is done, checkpoints, a manifest."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from transformers import PrinterCallback, Trainer, TrainerCallback

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError, foreign_errors
from cclearn.models import model_hash
from cclearn.prompts import prompt_hash
from cclearn.runtime.files import (
    atomic_folder,
    partial_folder,
    refuse_existing,
    write_json,
    writing_alone,
)
from cclearn.runtime.memory import peak_gpu_mib, peak_mib
from cclearn.runtime.processes import on_gpu, process_state, sharding
from cclearn.training.card import model_card
from cclearn.training.checkpoints import (
    Checkpoint,
    checkpoints_of,
    fingerprint,
    latest,
    mark_finished,
    publish,
    read_checkpoint,
    remove_finished,
)
from cclearn.training.manifest import describe_run, rows_hash
from cclearn.training.prepare import Prepared
from cclearn.training.recipe import Recipe, Training
from cclearn.training.start import attention_of, computes_in_bf16
from cclearn.weights import RECORDED, RECORDED_BASE, sha256_of_weights

if TYPE_CHECKING:
    from accelerate import PartialState
    from transformers import PreTrainedTokenizerBase

Progress = Callable[[int, int, float | None], None]
"""Called with the steps done, the steps in all, and the loss where it is known."""

Tell = Callable[[str], None]
"""Called with what a user must know."""

AUTO = "auto"
"""Resume from the last whole checkpoint, if there is one."""

_MANIFEST, _METRICS = "manifest.json", "metrics.jsonl"


@dataclass(frozen=True, slots=True)
class Job:
    """A run that is ready to begin.

    Attributes:
        tokenizer: Saved with the model.
        make_trainer: Makes the trainer, given the folder it may write to and its callbacks.
        prepared: Its rows.
    """

    tokenizer: PreTrainedTokenizerBase
    make_trainer: Callable[[Path, list[TrainerCallback]], WholeCheckpoints]
    prepared: Prepared


def run_recipe(
    recipe: Recipe,
    make_job: Callable[[Recipe, CodeSystem], Job],
    overwrite: bool = False,
    resume: str | None = None,
    progress: Progress | None = None,
    tell: Tell = lambda message: None,
) -> Path:
    """Train a model as a recipe says.

    The output folder appears only when the run is complete: the model (safetensors), or its adapter, its
    tokenizer, `manifest.json`, `metrics.jsonl` with the loss, and a model card. Checkpoints lie beside
    it until then (`cclearn.training.checkpoints`).

    Args:
        recipe: What to do.
        make_job: Makes the run ready, for a stage of training.
        overwrite: Whether the output folder, and checkpoints, may be replaced.
        resume: `auto`, or the folder of a checkpoint; None begins anew.
        progress: Told of every step.
        tell: Told of checkpoints that are passed over.

    Returns:
        The output folder.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: A row is too long, has nothing to learn, the model cannot be loaded, or the
            checkpoint is of another run.
        CclearnError: The output folder exists, or a file cannot be written.
    """
    state = process_state()
    checkpoints = checkpoints_of(recipe.output)
    if state.is_main_process:
        remove_finished(checkpoints, recipe.output / _MANIFEST)
    refuse_existing(recipe.output, overwrite, tidy=state.is_main_process)
    system = CodeSystem.load(recipe.code_system.name, recipe.code_system.release)
    job = make_job(recipe, system)
    rows = [row for phase in job.prepared.phases for row in phase]
    digest = rows_hash(rows)
    run = fingerprint(
        recipe,
        rows_sha256=digest,
        base_sha256=model_hash(recipe.model.path or "", recipe.model.revision),
        computes_in_bf16=computes_in_bf16(recipe.training),
        attention=attention_of(recipe.training),
        sharding=sharding(),
        prompt_sha256=prompt_hash(system.name, recipe.rows.template),
        release=system.release,
        processes=state.num_processes,
    )
    start = _found(checkpoints, resume, overwrite, run, tell)
    with (
        _run_folder(recipe.output, overwrite, state.is_main_process) as folder,
        _aside(checkpoints, recipe.training, state) as aside,
    ):
        metrics = folder / _METRICS
        if start is not None and state.is_main_process:
            shutil.copyfile(start.folder / _METRICS, metrics)
        trainer = job.make_trainer(aside or folder, [_Metrics(metrics, progress)])
        trainer.prepare_run(checkpoints, run, recipe.training.keep, metrics, start)
        with nullcontext() if start is None else foreign_errors(_failed(recipe, start)):
            trainer.train(resume_from_checkpoint=str(start.folder) if start else None)
        seconds = trainer.seconds()
        with _telling_of_writing(recipe.output):
            if trainer.is_fsdp_enabled:  # Checkpoints are sharded, the model is written whole.
                trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
            trainer.save_model(str(folder))
            if state.is_main_process:
                job.tokenizer.save_pretrained(folder)
                (folder / "training_args.bin").unlink(missing_ok=True)
                manifest = describe_run(
                    recipe,
                    system,
                    rows=job.prepared.described(),
                    contaminated=job.prepared.contaminated(),
                    rows_sha256=digest,
                    development_sha256=rows_hash(job.prepared.development),
                    development_rows=len(job.prepared.development),
                    epoch_rows=len(rows),
                    **_hashes(recipe, folder),
                    **_measured(recipe, trainer, seconds, start),
                )
                write_json(folder / _MANIFEST, manifest)
                (folder / "README.md").write_text(model_card(manifest), encoding="utf-8")
                mark_finished(checkpoints, folder / _MANIFEST)
        state.wait_for_everyone()
    if state.is_main_process:  # The model is durable under its name: nothing else is needed.
        shutil.rmtree(checkpoints, ignore_errors=True)
    return recipe.output


def _failed(recipe: Recipe, start: Checkpoint) -> Callable[[str], CclearnError]:
    """Return what reports that a trainer cannot take up a checkpoint."""
    return lambda place: ConfigurationError(
        [
            f"resume (checkpoint = {start.folder}): training cannot go on from it ({place}). Remove"
            f" it, to go on from the one before, or start {recipe.name} anew with --overwrite."
        ]
    )


def common_arguments(recipe: Recipe) -> dict[str, Any]:
    """Return the arguments that the trainers of all stages take; the folder is set when it is there."""
    training = recipe.training
    if training.report_to == "tensorboard":
        # Its place would be among the checkpoints, which go when the run is done.
        place = recipe.output.with_name(f"{recipe.output.name}.tensorboard")
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(place))
    return {
        "output_dir": str(recipe.output),
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "max_steps": training.steps or -1,
        "num_train_epochs": training.epochs or 1,
        "per_device_train_batch_size": training.batch_size,
        "gradient_accumulation_steps": training.accumulation,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": training.scheduler,
        "warmup_steps": training.warmup,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "optim": "adamw_8bit" if training.optimizer == "adamw_8bit" else "adamw_torch_fused",
        "activation_checkpointing": training.gradient_checkpointing,
        # Without reentrance ZeRO-3 finds partitioned weights where adapters are trained.
        "activation_checkpointing_kwargs": {
            "use_reentrant": sharding() == "deepspeed" and recipe.adapter.kind != "none"
        },
        "use_liger_kernel": training.liger,
        "use_cpu": not on_gpu(),
        "bf16": computes_in_bf16(training),
        "logging_steps": training.log_every,
        "save_strategy": "steps" if training.save_every else "no",
        "save_steps": training.save_every or 500,
        "report_to": training.report_to,
        "disable_tqdm": True,
    }


class WholeCheckpoints(Trainer):  # type: ignore[misc]
    """Lets a trainer's checkpoints be whole or not there; stands before the trainer it is mixed into."""

    def prepare_run(
        self,
        checkpoints: Path,
        run: dict[str, Any],
        keep: int,
        metrics: Path,
        start: Checkpoint | None,
    ) -> None:
        """Say what the run is, before it begins."""
        self._checkpoints, self._run, self._keep = checkpoints, run, keep
        self._metrics_file = metrics
        self._started = time.perf_counter() - (start.seconds if start else 0.0)
        # Its dictionaries would be printed between the lines of the progress bar.
        self.remove_callback(PrinterCallback)

    def seconds(self) -> float:
        """Return how long the run has taken, what it did before a stop included."""
        return time.perf_counter() - self._started

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.state.global_step >= self.state.max_steps:
            return  # The model itself is next; going on from here would take one step more.
        with _telling_of_writing(self._checkpoints):
            super()._save_checkpoint(model, trial)
            state = process_state()
            state.wait_for_everyone()
            if state.is_main_process:
                step = self.state.global_step
                written = Path(self.args.output_dir) / f"checkpoint-{step}"
                shutil.copyfile(self._metrics_file, written / _METRICS)
                publish(written, self._checkpoints, step, self.seconds(), self._run, self._keep)
            state.wait_for_everyone()


class _Metrics(TrainerCallback):  # type: ignore[misc]
    """Writes the logged numbers to a file and tells the progress."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path = path
        self._progress = progress
        self._loss: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self._path.touch()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._progress is not None and state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, self._loss)

    def on_log(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        logs = parts.get("logs") or {}
        self._loss = logs.get("loss", self._loss)
        if state.is_world_process_zero:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"step": state.global_step, **logs}, sort_keys=True) + "\n")


def _measured(
    recipe: Recipe, trainer: WholeCheckpoints, seconds: float, start: Checkpoint | None
) -> dict[str, Any]:
    processes = process_state().num_processes
    tokens = int(trainer.state.num_input_tokens_seen)
    trained, parameters = _parameters(trainer.model)
    return {
        "parameters": parameters,
        "trained_parameters": trained,
        "processes": processes,
        "effective_batch": recipe.training.batch_size * recipe.training.accumulation * processes,
        "steps": trainer.state.global_step,
        "resumed_from": start.step if start else None,
        "tokens_seen": tokens,
        "seconds": round(seconds, 1),
        "gpu_seconds": round(seconds * processes, 1) if on_gpu() else 0.0,
        "peak_mib": peak_mib(),
        "peak_gpu_mib": peak_gpu_mib(),
        "tokens_per_second": round(tokens / seconds, 1),
    }


def _hashes(recipe: Recipe, folder: Path) -> dict[str, str]:
    """Return the hash of the weights that were saved and, of an adapter, that of its base."""
    hashes = {RECORDED: sha256_of_weights(folder)}
    base = Path(recipe.model.path or "")
    if recipe.adapter.kind != "none" and recipe.model.path and base.is_dir():
        hashes[RECORDED_BASE] = sha256_of_weights(base)
    return hashes


def _parameters(model: Any) -> tuple[int, int]:
    """Return how many weights are trained, and how many there are."""
    # PEFT's own count knows four bits and partitions.
    if hasattr(model, "get_nb_trainable_parameters"):
        trained, parameters = model.get_nb_trainable_parameters()
        return int(trained), int(parameters)
    sizes = [(getattr(p, "ds_numel", p.numel()), p.requires_grad) for p in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)


def _run_folder(
    output: Path, overwrite: bool, is_main_process: bool
) -> AbstractContextManager[Path]:
    """Give the run's folder, which the main process creates, fills and renames."""
    if is_main_process:
        return atomic_folder(output, overwrite, "model")
    return nullcontext(partial_folder(output))


def _found(
    checkpoints: Path, resume: str | None, overwrite: bool, run: dict[str, Any], tell: Tell
) -> Checkpoint | None:
    """Return where to go on, None where the run begins anew."""
    if resume == AUTO:
        found = latest(checkpoints, run, tell)
        tell(f"Going on after step {found.step}." if found else "No checkpoint: beginning anew.")
        return found
    if resume is not None:
        return read_checkpoint(Path(resume), run)
    if any(checkpoints.glob("step-*")):
        if not overwrite:
            raise CclearnError(
                f"output (checkpoints = {checkpoints}): a run was stopped here. Go on with"
                " --resume auto, or begin anew with --overwrite."
            )
        process_state().wait_for_everyone()
        if process_state().is_main_process:
            with writing_alone(checkpoints):
                for place in checkpoints.glob("step-*"):
                    shutil.rmtree(place)
    return None


@contextmanager
def _aside(checkpoints: Path, training: Training, state: PartialState) -> Iterator[Path | None]:
    """Give a folder where checkpoints are written before they take their place, the same in all
    processes; None where none are written."""
    if not training.save_every:
        yield None
        return
    aside = checkpoints / "writing"
    with writing_alone(checkpoints) if state.is_main_process else nullcontext():
        if state.is_main_process:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(mode=0o700)  # Nobody else can read a checkpoint that is being written.
        state.wait_for_everyone()
        try:
            yield aside
        finally:
            if state.is_main_process:
                shutil.rmtree(aside, ignore_errors=True)
                if not any(checkpoints.glob("step-*")):
                    shutil.rmtree(checkpoints)


@contextmanager
def _telling_of_writing(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):
            raise  # Not of torch's writer of archives.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CclearnError(
            f"output (path = {place}): it cannot be written: {reason} Make room; a run with"
            " checkpoints goes on with --resume auto."
        ) from error
