"""The folders that a run writes to, in one process or in several."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from safetensors import SafetensorError

from cclearn.errors import CclearnError
from cclearn.runtime.files import atomic_folder, locked_folder, partial_folder
from cclearn.runtime.processes import process_state


def run_folder(output: Path, overwrite: bool) -> AbstractContextManager[Path]:
    """Return a context with the folder that becomes the output when the context ends without an error.

    The main process creates, fills and renames it. The other processes receive its path.

    Args:
        output: Output folder of the run.
        overwrite: Whether an existing output folder may be replaced.
    """
    if process_state().is_main_process:
        return atomic_folder(output, overwrite, "model")
    return nullcontext(partial_folder(output))


@contextmanager
def unpublished_checkpoints(checkpoints: Path, save_every: int) -> Iterator[Path | None]:
    """Yield the folder where unpublished checkpoints are written, the same in all processes.

    While the context lasts, no other run can write to the folder of checkpoints. The main process
    removes the yielded folder at the end, and the folder of checkpoints if none was published.

    Args:
        checkpoints: Folder where complete checkpoints are published.
        save_every: Number of steps between checkpoints. With 0 the context yields None.
    """
    if not save_every:
        yield None
        return
    state = process_state()
    folder = checkpoints / "writing"
    with locked_folder(checkpoints) if state.is_main_process else nullcontext():
        if state.is_main_process:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)  # Nobody else can read a checkpoint that is being written.
        state.wait_for_everyone()
        try:
            yield folder
        finally:
            if state.is_main_process:
                shutil.rmtree(folder, ignore_errors=True)
                if not any(checkpoints.glob("step-*")):
                    shutil.rmtree(checkpoints)


@contextmanager
def reporting_write_errors(path: Path) -> Iterator[None]:
    """Raise errors of writing as a `CclearnError` that names the path.

    Args:
        path: File or folder that the message names.
    """
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):
            raise  # The error does not come from torch's writer of archives.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CclearnError(
            f"output (path = {path}): it cannot be written: {reason} Free some space. A run"
            " with checkpoints is resumed with --resume auto."
        ) from error
