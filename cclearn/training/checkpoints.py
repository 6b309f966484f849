"""Checkpoints, which are complete or absent, and which only the run that wrote them can resume."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.coding.identity import difference, flatten
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.runtime.durable import flush, remove, seal_folder
from cclearn.runtime.files import sha256_of_file, write_json
from cclearn.runtime.parsing import read_json
from cclearn.training.recipe import Recipe

MARKER = "complete.json"
"""Name of the file that is written last, with the hash of every file and the fingerprint of the run."""

FINISHED = "finished.json"
"""Name of the file with the hash of the final model's manifest, in the folder of checkpoints."""

METRICS = "metrics.jsonl"
"""Name of the file of logged values, in a checkpoint and in the output folder."""

_FREE = {
    "name",
    "output",
    "licence",
    "training.save_every",
    "training.keep",
    "training.log_every",
    "training.report_to",
}
"""Settings that have no influence on the weights."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        folder: Folder of the checkpoint.
        step: Number of steps after which it was written.
        seconds: Seconds that the run had taken until then.
    """

    folder: Path
    step: int
    seconds: float


def checkpoint_folder(output: Path) -> Path:
    """Return the folder of a run's checkpoints, which is removed when the run is complete."""
    return output.with_name(f"{output.name}.checkpoints")


def fingerprint(recipe: Recipe, **measured: Any) -> dict[str, Any]:
    """Return everything that determines the weights of a run, by dotted key.

    Args:
        recipe: Recipe of the run, with overrides applied.
        measured: Values that are not in the recipe: hashes, the number of processes and the like.
    """
    settings = {key: value for key, value in flatten(recipe.settings()) if key not in _FREE}
    return {**settings, **measured}


def mark_finished(folder: Path, manifest: Path) -> None:
    """Record in the folder of checkpoints that they belong to a model which is about to be published.

    Args:
        folder: Folder of the run's checkpoints. Nothing is written if it does not exist.
        manifest: Path of the model's manifest.
    """
    if folder.is_dir():
        write_json(folder / FINISHED, {"manifest_sha256": sha256_of_file(manifest)})


def remove_finished(folder: Path, manifest: Path) -> None:
    """Remove the checkpoints of a run whose model is published. A killed run may have left them.

    Args:
        folder: Folder of the run's checkpoints. Checkpoints of another run are kept.
        manifest: Path of the manifest of the published model.
    """
    try:
        recorded = read_json(folder / FINISHED)["manifest_sha256"]
    except (DataError, KeyError, TypeError):
        return
    if manifest.is_file() and sha256_of_file(manifest) == recorded:
        for path in folder.iterdir():
            # This file is removed last, so that an interrupted removal can be continued.
            if path.name != FINISHED:
                remove(path)
        remove(folder)


def publish_checkpoint(
    written: Path, folder: Path, step: int, seconds: float, run: dict[str, Any], keep: int
) -> None:
    """Move a checkpoint into the folder of checkpoints, and remove the oldest ones.

    Its files are made private and flushed to the disk. Then it is renamed, and marked as complete.

    Args:
        written: Folder of the unpublished checkpoint.
        folder: Folder of the run's checkpoints.
        step: Number of steps after which the checkpoint was written.
        seconds: Seconds that the run has taken.
        run: Fingerprint of the run.
        keep: Number of checkpoints to keep.
    """
    # The file contains pickled arguments, which are never read.
    (written / "training_args.bin").unlink(missing_ok=True)
    files = sorted(path for path in written.rglob("*") if path.is_file())
    hashes = {path.relative_to(written).as_posix(): sha256_of_file(path) for path in files}
    seal_folder(written)
    published = folder / f"step-{step:08d}"
    shutil.rmtree(published, ignore_errors=True)
    os.replace(written, published)
    flush(folder)
    marker = {"step": step, "seconds": seconds, "run": run, "sha256": hashes}
    write_json(published / MARKER, marker)
    for old in sorted(folder.glob("step-*"))[:-keep]:
        (old / MARKER).unlink(missing_ok=True)
        shutil.rmtree(old)


def latest_checkpoint(
    folder: Path, run: dict[str, Any], notify: Callable[[str], None]
) -> Checkpoint | None:
    """Return the last complete checkpoint, or None.

    Args:
        folder: Folder of the run's checkpoints.
        run: Fingerprint of the run to resume.
        notify: Called with a message for each checkpoint that is skipped.

    Raises:
        ConfigurationError: The checkpoint belongs to another run.
    """
    for checkpoint in sorted(folder.glob("step-*"), reverse=True):
        try:
            return read_checkpoint(checkpoint, run)
        except CclearnError as error:
            if isinstance(error, ConfigurationError):
                raise
            notify(f"{error} It is skipped.")
    return None


def read_checkpoint(folder: Path, run: dict[str, Any]) -> Checkpoint:
    """Check that a checkpoint is complete and belongs to a run, and return it.

    Args:
        folder: Folder of the checkpoint.
        run: Fingerprint of the run to resume.

    Raises:
        ConfigurationError: The checkpoint belongs to another run. The error lists every setting that
            differs.
        CclearnError: The checkpoint is incomplete.
    """
    try:
        marker = read_json(folder / MARKER)
        hashes, written_by = dict(marker["sha256"]), dict(marker["run"])
        step, seconds = int(marker["step"]), float(marker["seconds"])
    except (DataError, ValueError, KeyError, TypeError, OverflowError):
        raise CclearnError(f"checkpoint (path = {folder}): it is incomplete.") from None
    for name, digest in hashes.items():
        path = folder / name
        if not path.is_file() or sha256_of_file(path) != digest:
            raise CclearnError(
                f"checkpoint (path = {folder}): {name} has changed since it was written."
            )
    problems = [
        f"resume (checkpoint = {folder}): {entry.key} was {entry.theirs} and is {entry.ours}. Set it"
        " back, or start again with --overwrite."
        for entry in difference(written_by, run)
    ]
    if problems:
        raise ConfigurationError(problems)
    return Checkpoint(folder, step, seconds)
