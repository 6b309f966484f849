"""The peak memory of this process."""

from __future__ import annotations

import resource
import sys


def peak_mib() -> int:
    """Return the peak of the resident main memory, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In KiB, and on macOS in bytes (getrusage(2)).
    return round(most / (2**20 if sys.platform == "darwin" else 2**10))


def peak_gpu_mib() -> int | None:
    """Return the peak of the GPU memory of PyTorch, in MiB, or None if no GPU is used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    gpus = range(torch.cuda.device_count())
    return round(max(int(torch.cuda.max_memory_allocated(gpu)) for gpu in gpus) / 2**20)
