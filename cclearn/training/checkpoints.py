"""Checkpoints: each is whole or not there, and is taken up only by the run that wrote it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.errors import CclearnError, ConfigurationError, DataError, shown_id
from cclearn.runtime.durable import flush, remove, seal_folder
from cclearn.runtime.files import sha256_of_file, write_json
from cclearn.runtime.parsing import read_json
from cclearn.training.recipe import Recipe

MARKER = "complete.json"
"""Written last: the hash of every file, and what the run was."""

FINISHED = "finished.json"
"""In the folder of checkpoints: the hash of the manifest of the model that they led to."""

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
"""Settings that decide nothing about the weights."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that is whole.

    Attributes:
        folder: Where it is.
        step: After how many steps it was written.
        seconds: How long the run had taken.
    """

    folder: Path
    step: int
    seconds: float


def checkpoints_of(output: Path) -> Path:
    """Return the folder of a run's checkpoints, beside its output; it goes when the run is done."""
    return output.with_name(f"{output.name}.checkpoints")


def fingerprint(recipe: Recipe, **measured: Any) -> dict[str, Any]:
    """Return what decides a run's weights: its settings, and hashes of its rows and prompts.

    Args:
        recipe: As it is run.
        measured: Hashes, and the number of processes.
    """
    settings = {key: value for key, value in _flat(recipe.settings()) if key not in _FREE}
    return {**settings, **measured}


def mark_finished(folder: Path, manifest: Path) -> None:
    """Note in the folder of checkpoints, before a model takes its place, that they are of its run.

    Args:
        folder: The folder of the run's checkpoints. Nothing is done if there is none.
        manifest: The model's manifest.
    """
    if folder.is_dir():
        write_json(folder / FINISHED, {"manifest_sha256": sha256_of_file(manifest)})


def remove_finished(folder: Path, manifest: Path) -> None:
    """Remove the checkpoints of a run whose model is in place; a killed run may have left them.

    Args:
        folder: The folder of the run's checkpoints. Those of another run are kept.
        manifest: The manifest of the model that is in place.
    """
    try:
        of = read_json(folder / FINISHED)["manifest_sha256"]
    except (DataError, KeyError, TypeError):
        return
    if manifest.is_file() and sha256_of_file(manifest) == of:
        for place in folder.iterdir():
            if place.name != FINISHED:  # Last, so that a removal that is interrupted can go on.
                remove(place)
        remove(folder)


def publish(
    written: Path, folder: Path, step: int, seconds: float, run: dict[str, Any], keep: int
) -> None:
    """Let a checkpoint that was written aside take its place, and drop the oldest.

    Its files are made private and flushed to the disk, then it is renamed, then marked as whole.

    Args:
        written: The checkpoint.
        folder: Of the run's checkpoints.
        step: After how many steps.
        seconds: How long the run has taken.
        run: Its fingerprint.
        keep: How many to keep.
    """
    # Pickled arguments, which nothing reads.
    (written / "training_args.bin").unlink(missing_ok=True)
    files = sorted(path for path in written.rglob("*") if path.is_file())
    hashes = {path.relative_to(written).as_posix(): sha256_of_file(path) for path in files}
    seal_folder(written)
    place = folder / f"step-{step:08d}"
    shutil.rmtree(place, ignore_errors=True)
    os.replace(written, place)
    flush(folder)
    marker = {"step": step, "seconds": seconds, "run": run, "sha256": hashes}
    write_json(place / MARKER, marker)
    for old in sorted(folder.glob("step-*"))[:-keep]:
        (old / MARKER).unlink(missing_ok=True)
        shutil.rmtree(old)


def latest(folder: Path, run: dict[str, Any], tell: Callable[[str], None]) -> Checkpoint | None:
    """Return the last checkpoint that is whole, None where there is none.

    Args:
        folder: Of the run's checkpoints.
        run: The fingerprint of the run that wants to go on.
        tell: Told of each one that is passed over.

    Raises:
        ConfigurationError: It is of another run.
    """
    for place in sorted(folder.glob("step-*"), reverse=True):
        try:
            return read_checkpoint(place, run)
        except CclearnError as error:
            if isinstance(error, ConfigurationError):
                raise
            tell(f"{error} It is passed over.")
    return None


def read_checkpoint(place: Path, run: dict[str, Any]) -> Checkpoint:
    """Check a checkpoint.

    Args:
        place: Its folder.
        run: The fingerprint of the run that wants to go on.

    Raises:
        ConfigurationError: It is of another run; every setting that differs is told.
        CclearnError: It is not whole.
    """
    try:
        marker = read_json(place / MARKER)
        hashes, of, step = dict(marker["sha256"]), dict(marker["run"]), int(marker["step"])
        seconds = float(marker["seconds"])
    except (DataError, ValueError, KeyError, TypeError, OverflowError):
        raise CclearnError(f"checkpoint (path = {place}): it was not finished.") from None
    for name, digest in hashes.items():
        path = place / name
        if not path.is_file() or sha256_of_file(path) != digest:
            raise CclearnError(f"checkpoint (path = {place}): {name} is not as it was written.")
    problems = [
        f"resume (checkpoint = {place}): {shown_id(key)} was"
        f" {shown_id(str(of.get(key)))} and is {shown_id(str(run.get(key)))}. Set it"
        " back, or start anew with --overwrite."
        for key in sorted({*of, *run})
        if of.get(key) != run.get(key)
    ]
    if problems:
        raise ConfigurationError(problems)
    return Checkpoint(place, step, seconds)


def _flat(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Return the leaves of nested settings by dotted key."""
    if isinstance(value, dict) and value:
        pairs = [(f"{key}.{name}" if key else str(name), each) for name, each in value.items()]
    elif isinstance(value, list) and value:
        pairs = [(f"{key}.{number}", each) for number, each in enumerate(value)]
    else:
        return [(key, value)]
    return [leaf for name, each in pairs for leaf in _flat(each, name)]
