"""Selection of the checkpoint that a run resumes from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cclearn.errors import CclearnError
from cclearn.runtime.files import locked_folder
from cclearn.runtime.processes import process_state
from cclearn.training.checkpoints import Checkpoint, latest_checkpoint, read_checkpoint

Notify = Callable[[str], None]
"""Function that receives a message for the user."""

AUTO = "auto"
"""Value of `resume` that selects the last complete checkpoint, if there is one."""


def find_checkpoint(
    checkpoints: Path, resume: str | None, overwrite: bool, run: dict[str, Any], notify: Notify
) -> Checkpoint | None:
    """Return the checkpoint that a run resumes from, or None if it begins at its first step.

    Args:
        checkpoints: Folder of the run's checkpoints. Existing ones are removed if the run begins at its
            first step and `overwrite` is set.
        resume: `auto`, the folder of a checkpoint, or None.
        overwrite: Whether existing checkpoints may be removed.
        run: Fingerprint of the run.
        notify: Function that receives messages about the step that the run resumes from, and about
            skipped checkpoints.

    Raises:
        ConfigurationError: The checkpoint belongs to another run.
        CclearnError: The checkpoint is incomplete, or there are checkpoints and neither `resume` nor
            `overwrite` is given.
    """
    if resume == AUTO:
        checkpoint = latest_checkpoint(checkpoints, run, notify)
        notify(
            f"Resuming after step {checkpoint.step}."
            if checkpoint
            else "There is no checkpoint. Training begins at the first step."
        )
        return checkpoint
    if resume is not None:
        return read_checkpoint(Path(resume), run)
    if any(checkpoints.glob("step-*")):
        if not overwrite:
            raise CclearnError(
                f"output (checkpoints = {checkpoints}): they belong to a run that was stopped. Resume"
                " it with --resume auto, or start again with --overwrite."
            )
        _remove(checkpoints)
    return None


def _remove(checkpoints: Path) -> None:
    state = process_state()
    state.wait_for_everyone()
    if state.is_main_process:
        with locked_folder(checkpoints):
            for checkpoint in checkpoints.glob("step-*"):
                shutil.rmtree(checkpoint)
