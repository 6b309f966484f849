"""Train a model according to a recipe, in this process or in those of `accelerate launch`."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.errors import ConfigurationError
from cclearn.runtime.display import print_message
from cclearn.training.recipe import Recipe

if TYPE_CHECKING:
    from accelerate import PartialState

STOPPED = "Stopped. A run with checkpoints is resumed with --resume auto."
"""Message for a user who has interrupted a run."""

_SEVERAL_GPUS = re.compile(r"\d+ GPUs")


def stage_of(recipe: Recipe) -> str:
    """Return the stage of a recipe: `sft`, `grpo` for reinforcement learning, or `plm` for a
    discriminative coder."""
    if recipe.baseline is not None:
        return "plm"
    return "sft" if recipe.grpo is None else "grpo"


def train(
    stage: str,
    recipe: Recipe,
    overwrite: bool = False,
    resume: str | None = None,
    processes: int | None = None,
) -> tuple[Path, bool]:
    """Train a model, with progress and messages on standard error.

    Args:
        stage: Stage of training, as `stage_of` returns it.
        recipe: Recipe of the run.
        overwrite: Whether an existing output folder may be replaced.
        resume: `auto`, the folder of a checkpoint, or None to begin at the first step.
        processes: Number of processes that the run must have. None allows any number.

    Returns:
        The folder of the model, and whether this is the main process.

    Raises:
        CclearnError: The run cannot begin, or a file cannot be written.
    """
    from cclearn.coding.model_record import model_record
    from cclearn.model_manifest import read_manifest
    from cclearn.runtime.audit import audited
    from cclearn.runtime.processes import process_state
    from cclearn.runtime.processors import cpu_has_bf16
    from cclearn.runtime.progress import quiet_libraries, step_bar
    from cclearn.runtime.stopping import cleaning_up_when_stopped

    state = process_state()
    notify = _notifier(state)
    _check_processes(state, processes)
    batch, unit = recipe.training.effective_batch(state.num_processes)
    notify(
        f"{state.num_processes} process{'es' if state.num_processes > 1 else ''} on"
        f" {state.device.type}, effective batch {batch:,} {unit}."
    )
    if state.device.type == "cpu" and recipe.training.precision == "bf16" and not cpu_has_bf16():
        notify(
            "training.precision (precision = bf16): this CPU has no instructions for bf16, and computes"
            " it several times slower than fp32. Set training.precision=fp32."
        )
    quiet_libraries()
    run: Callable[..., Path] = getattr(import_module(f"cclearn.training.{stage}"), f"run_{stage}")
    title = f"training {recipe.name}"
    with (
        cleaning_up_when_stopped(),
        audited(stage, writes=state.is_main_process) as audit,
        step_bar(title, state.is_main_process) as progress,
    ):
        base = recipe.model.path
        audit.begin([model_record(base)] if base else [])
        folder = run(recipe, overwrite, resume, progress, notify)
        if state.is_main_process:
            name, digest = model_record(str(folder))
            trained: dict[str, Any] = {"name": name, "sha256": digest}
            rows = (read_manifest(folder) or {}).get("rows_sha256")
            audit.fields.update(trained=trained, rows_sha256=rows)
    return folder, state.is_main_process


def refuse_missing_rows(recipe: Recipe) -> None:
    """Raise ConfigurationError if files of rows are missing. The error lists all of them."""
    missing = [path for path in recipe.files if not path.is_file()]
    if missing:
        raise ConfigurationError(
            [
                f"rows (path = {path}): no such file. Build it (cclearn build --list), or name"
                " another with rows.sources.N.path=…"
                for path in missing
            ]
        )


def refuse_other_hardware(recipe: Recipe, gpus: int) -> None:
    """Refuse to train a recipe in one process that is meant for other hardware.

    Args:
        recipe: Recipe of the run. One without the field `hardware` is never refused.
        gpus: Number of GPUs of this machine.

    Raises:
        ConfigurationError: The recipe needs several GPUs, or a GPU that the machine does not have.
    """
    wanted = recipe.hardware or ""
    problem = None
    if _SEVERAL_GPUS.match(wanted):
        problem = f"it is launched on several GPUs by: {recipe.command or 'accelerate launch'}"
    elif wanted and "CPU" not in wanted and not gpus:
        problem = (
            "this machine has no GPU. Train it on a machine with one, or choose a recipe for CPUs"
            " (cclearn recipes ls)"
        )
    if problem is not None:
        raise ConfigurationError(
            [
                f"hardware (hardware = {wanted}): {problem}. --any-hardware trains it in one process"
                " here, however slow that is."
            ]
        )


def _notifier(state: PartialState) -> Callable[[str], None]:
    """Return a function that shows a message to the user in the main process only."""

    def notify(message: str) -> None:
        if state.is_main_process:
            print_message(message)

    return notify


def _check_processes(state: PartialState, expected: int | None) -> None:
    """Raise ConfigurationError if the number of processes is unexpected.

    Launchers fall back to one process without a warning.
    """
    import torch

    if state.num_processes == 1 and state.device.type == "cuda" and torch.cuda.device_count() > 1:
        raise ConfigurationError(
            [
                f"GPUs ({torch.cuda.device_count()} are visible): one process uses only one GPU. Set"
                " CUDA_VISIBLE_DEVICES=0, or launch a process for each GPU with --config_file"
                " recipes/accelerate/ddp.yaml."
            ]
        )
    if expected is not None and expected != state.num_processes:
        raise ConfigurationError(
            [
                f"--processes ({expected}): the launcher started {state.num_processes}. Set its"
                " --num_processes and distributed_type, e.g. --config_file recipes/accelerate/ddp.yaml."
            ]
        )
