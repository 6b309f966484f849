"""The instructions of the processor."""

from __future__ import annotations

_BF16 = ("amx_bf16", "avx512_bf16", "avx10_2", "bf16")
"""Instructions for products of bf16 numbers, by PyTorch's names for x86 and, last, ARM."""


def cpu_has_bf16() -> bool:
    """Return whether this CPU has instructions for bf16.

    Without them, PyTorch converts each number. Training and scoring then take several times as long as
    in fp32 (`benchmarks/cpu_precision.py`). A release of PyTorch that cannot tell is taken to have them.
    """
    import torch

    if not hasattr(torch.cpu, "get_capabilities"):
        return True
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _BF16)
