"""The processes of a run, on GPUs or on CPUs."""

from __future__ import annotations

import torch
from accelerate import PartialState


def process_state() -> PartialState:
    """Return this process's place among those of the run, which are joined at the first call.

    On a machine without a GPU it must be told so: Accelerate would take each process for the only one.
    """
    return PartialState(cpu=not torch.cuda.is_available())
