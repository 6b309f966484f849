"""The models at points along a run, which are its checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from cclearn.runtime.files import atomic_folder, write_json
from cclearn.runtime.parsing import read_json
from cclearn.training.checkpoints import MARKER, checkpoint_folder
from cclearn.weights import RECORDED, sha256_of_weights

POINTS = {"small": (4, 10), "gemma": (4,)}
"""Points before the end of a run of each model, in twentieths of its steps."""

PARTS = 20
"""Number of checkpoints in a run."""

_COUNTS = "point.json"
_TRAINER_FILES = ("optimizer", "scheduler", "rng_state", "trainer_state", "complete", "metrics")


@dataclass(frozen=True, slots=True)
class Point:
    """A model at a point of a run.

    Attributes:
        folder: Folder of the model.
        step: Number of steps.
        tokens: Number of tokens that the model was trained on.
        seconds: Seconds of training.
    """

    folder: Path
    step: int
    tokens: int
    seconds: float


class PointKeeper:
    """Copies checkpoints before the run removes them. It is called after each step of the run.

    Args:
        output: Output folder of the run.
        folder: Folder that receives a folder for each point.
        steps: Steps of the points. Each must have a checkpoint.
        dtype: Type that the final weights are saved in, or None to leave them as they are.
    """

    def __init__(
        self, output: Path, folder: Path, steps: Sequence[int], dtype: torch.dtype | None
    ) -> None:
        self._checkpoints = checkpoint_folder(output)
        self._folder = folder
        self._waiting = [step for step in steps if not _point_folder(folder, step).exists()]
        self._dtype = dtype

    def __call__(self, step: int, total: int, loss: float | None) -> None:
        """Copy the checkpoints that have been published since the last call."""
        for waiting in [w for w in self._waiting if w < step]:
            checkpoint = self._checkpoints / f"step-{waiting:08d}"
            if (checkpoint / MARKER).exists():
                _copy(checkpoint, _point_folder(self._folder, waiting), self._dtype)
                self._waiting.remove(waiting)


def finished_points(folder: Path, output: Path) -> Iterator[Point]:
    """Yield the points of a finished run in the order of their steps. The last one is the final model.

    Args:
        folder: Folder of the points.
        output: Output folder of the run, whose manifest the points receive with their own counts.
    """
    manifest = read_json(output / "manifest.json")
    for path in sorted(folder.glob("step-*")):
        counts = read_json(path / _COUNTS)
        own: dict[str, Any] = {**manifest, **counts, RECORDED: sha256_of_weights(path)}
        write_json(path / "manifest.json", own)
        yield Point(path, counts["steps"], counts["tokens_seen"], counts["seconds"])
    yield Point(output, manifest["steps"], manifest["tokens_seen"], manifest["seconds"])


def _point_folder(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}"


def _copy(checkpoint: Path, folder: Path, dtype: torch.dtype | None) -> None:
    """Write the model of a checkpoint as the final model is written, and the counts of its point."""
    state, marker = read_json(checkpoint / "trainer_state.json"), read_json(checkpoint / MARKER)
    with atomic_folder(folder, False, "point") as partial:
        for file in checkpoint.iterdir():
            if not file.name.startswith(_TRAINER_FILES) and file.suffix != ".safetensors":
                shutil.copyfile(file, partial / file.name)
        model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype or torch.float32)
        model.save_pretrained(partial)
        counts = {
            "steps": marker["step"],
            "tokens_seen": state["num_input_tokens_seen"],
            "seconds": round(marker["seconds"], 1),
        }
        write_json(partial / _COUNTS, counts)
