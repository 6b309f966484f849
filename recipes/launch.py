"""The command line that the scripts of both stages share.

The rows, the model and the loss of supervised fine-tuning are in `cclearn.training.sft`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cclearn.errors import CclearnError, ConfigurationError, unexpected_errors, visible
from cclearn.runtime.debugging import report_error, start_debugging
from cclearn.runtime.display import print_message
from cclearn.runtime.progress import quiet_libraries, step_bar
from cclearn.runtime.stopping import cleaning_up_when_stopped

if TYPE_CHECKING:
    from accelerate import PartialState


def launch(stage: str, description: str) -> int:
    """Read the command line and the recipe, train the model, and print its path.

    Args:
        stage: Stage of training, `sft` or `grpo`.
        description: Description of the script for its help.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--config", required=True, help="a YAML file, or a name such as tiny/sft_scratch"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder")
    parser.add_argument(
        "--resume",
        metavar="auto|FOLDER",
        help="resume from the last complete checkpoint, or from the given one",
    )
    parser.add_argument(
        "--processes", type=int, help="refuse to run with any other number of processes"
    )
    parser.add_argument("overrides", nargs="*", help="key.sub=value, e.g. training.steps=100")
    arguments = parser.parse_args()
    start_debugging()
    try:
        with unexpected_errors():
            return _run(stage, arguments)
    except CclearnError as error:
        report_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. A run with checkpoints is resumed with --resume auto.\n")
        return 130


def _run(stage: str, arguments: argparse.Namespace) -> int:
    from cclearn.training.recipe_file import load_recipe

    recipe = load_recipe(arguments.config, arguments.overrides)

    from cclearn.coding.model_record import model_record
    from cclearn.model_manifest import read_manifest
    from cclearn.runtime.audit import audited
    from cclearn.runtime.processes import process_state

    state = process_state()
    notify = _notifier(state)
    _check_processes(state, arguments.processes)
    batch, unit = recipe.training.effective_batch(state.num_processes)
    notify(
        f"{state.num_processes} process{'es' if state.num_processes > 1 else ''} on"
        f" {state.device.type}, effective batch {batch:,} {unit}."
    )
    quiet_libraries()
    train: Callable[..., Any] = getattr(import_module(f"cclearn.training.{stage}"), f"run_{stage}")
    title = f"training {recipe.name}"
    with (
        cleaning_up_when_stopped(),
        audited(stage, writes=state.is_main_process) as audit,
        step_bar(title, state.is_main_process) as progress,
    ):
        base = recipe.model.path
        audit.begin([model_record(base)] if base else [])
        folder = train(recipe, arguments.overwrite, arguments.resume, progress, notify)
        if state.is_main_process:
            name, digest = model_record(str(folder))
            trained = {"name": name, "sha256": digest}
            rows = (read_manifest(folder) or {}).get("rows_sha256")
            audit.fields.update(trained=trained, rows_sha256=rows)
    if state.is_main_process:
        shown = visible(str(folder))
        sys.stdout.write(f"The model is in {shown}. Next: cclearn code note.txt --model {shown}\n")
    return 0


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
