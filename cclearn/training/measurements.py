"""Measurements of a run: its size, its time and its memory."""

from __future__ import annotations

from typing import Any

from cclearn.runtime.memory import peak_gpu_mib, peak_mib
from cclearn.runtime.processes import on_gpu, process_state
from cclearn.training.checkpoints import Checkpoint
from cclearn.training.recipe import Recipe
from cclearn.training.trainer import CheckpointPublisher


def measure(
    recipe: Recipe, trainer: CheckpointPublisher, seconds: float, start: Checkpoint | None
) -> dict[str, Any]:
    """Return the measurements of a run that has ended, for its manifest.

    Args:
        recipe: Recipe of the run.
        trainer: Trainer of the run.
        seconds: Seconds that the run took.
        start: Checkpoint that the run was resumed from, or None.
    """
    processes = process_state().num_processes
    batch, unit = recipe.training.effective_batch(processes)
    tokens = int(trainer.state.num_input_tokens_seen)
    trained, parameters = _count_parameters(trainer.model)
    return {
        "parameters": parameters,
        "trained_parameters": trained,
        "processes": processes,
        "effective_batch": batch,
        "batch_unit": unit,
        "steps": trainer.state.global_step,
        "resumed_from": start.step if start else None,
        "tokens_seen": tokens,
        "seconds": round(seconds, 1),
        "gpu_seconds": round(seconds * processes, 1) if on_gpu() else 0.0,
        "peak_mib": peak_mib(),
        "peak_gpu_mib": peak_gpu_mib(),
        "tokens_per_second": round(tokens / seconds, 1),
    }


def _count_parameters(model: Any) -> tuple[int, int]:
    """Return the number of trained parameters and the number of all parameters."""
    # PEFT counts quantised and partitioned weights correctly.
    if hasattr(model, "get_nb_trainable_parameters"):
        trained, parameters = model.get_nb_trainable_parameters()
        return int(trained), int(parameters)
    sizes = [(getattr(p, "ds_numel", p.numel()), p.requires_grad) for p in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)
