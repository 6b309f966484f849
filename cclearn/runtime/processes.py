"""The processes of a run, on GPUs or on CPUs."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Literal

import torch
from accelerate import PartialState

_PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the first may have hundreds of gigabytes to write."""


def process_state() -> PartialState:
    """Return this process's place among those of the run, which are joined at the first call.

    On a machine without a GPU it must be told so: Accelerate would take each process for the only one.
    """
    cpu = not torch.cuda.is_available() or _is_set("ACCELERATE_USE_CPU")
    return PartialState(cpu=cpu, timeout=_PATIENCE)


def on_gpu() -> bool:
    """Say whether this process has a GPU."""
    return bool(process_state().device.type == "cuda")


def sharding() -> Literal["none", "fsdp", "deepspeed"]:
    """Say how the launcher wants the weights spread over the processes."""
    if _is_set("ACCELERATE_USE_FSDP"):
        return "fsdp"
    return "deepspeed" if _is_set("ACCELERATE_USE_DEEPSPEED") else "none"


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true", "yes", "on")
