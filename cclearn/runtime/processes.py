"""The processes of a run, on GPUs or on CPUs."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Literal

import torch
from accelerate import PartialState

_TIMEOUT = timedelta(hours=2)
"""Time that processes wait for each other. The first one may write hundreds of gigabytes."""


def process_state() -> PartialState:
    """Return the rank and the device of this process. The first call joins the processes of the run.

    On a machine without a GPU, Accelerate must be configured for CPUs. It would take each process
    for the only one otherwise.
    """
    cpu = not torch.cuda.is_available() or _is_set("ACCELERATE_USE_CPU")
    return PartialState(cpu=cpu, timeout=_TIMEOUT)


def leave_process_group() -> None:
    """Leave the process group, if there is one. A process that stays is sometimes aborted at its end."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        process_state().destroy_process_group()


def on_gpu() -> bool:
    """Return whether this process has a GPU."""
    return bool(process_state().device.type == "cuda")


def visible_gpus() -> int:
    """Return the number of GPUs that this process may use."""
    return 0 if _is_set("ACCELERATE_USE_CPU") else torch.cuda.device_count()


def sharding() -> Literal["none", "fsdp", "deepspeed"]:
    """Return how the launcher distributes the weights over the processes."""
    if _is_set("ACCELERATE_USE_FSDP"):
        return "fsdp"
    return "deepspeed" if _is_set("ACCELERATE_USE_DEEPSPEED") else "none"


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true", "yes", "on")
