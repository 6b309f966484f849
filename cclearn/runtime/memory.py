"""The peak memory of this process, and the memory that is available to it."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def peak_mib() -> int:
    """Return the peak of the resident main memory, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In KiB, and on macOS in bytes (getrusage(2)).
    return round(most / (2**20 if sys.platform == "darwin" else 2**10))


def resident_mib() -> int:
    """Return the resident main memory in MiB. Systems other than Linux report only its peak."""
    with suppress(OSError):
        pages = int(_STATM.read_text().split()[1])
        return round(pages * resource.getpagesize() / 2**20)
    return peak_mib()


def available_bytes() -> int | None:
    """Return the main memory that is available to this process in bytes, or None if it is unknown.

    It is Linux' `MemAvailable`, or the limit of the container if that is less. Other systems do not
    report how much memory their caches would give up.
    """
    found: list[int] = []
    with suppress(OSError):
        kib = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMINFO.read_text(), re.MULTILINE)
        found += [int(kib[1]) * 2**10] if kib else []
    with suppress(OSError, ValueError):  # Without a limit, the file contains "max".
        found.append(int(_CONTAINER_LIMIT.read_text()))
    return min(found, default=None)


def peak_gpu_mib() -> int | None:
    """Return the peak of the GPU memory of PyTorch, in MiB, or None if no GPU is used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    gpus = range(torch.cuda.device_count())
    return round(max(int(torch.cuda.max_memory_allocated(gpu)) for gpu in gpus) / 2**20)
