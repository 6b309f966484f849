"""Run a module with the matrix products of bf16 computed in fp32 and rounded, on a CPU without bf16.

python -m benchmarks.rounded_products [--tree FOLDER] MODULE [ARGUMENT …]

A CPU without instructions for bf16 takes tens of times as long for such a product as for one in fp32.
Its kernel adds in fp32 as well, and rounds the sum, so that the results are the same. With `--tree`, the
module and the project are those of another folder, such as a worktree of an earlier commit:

python -m benchmarks.rounded_products --tree ../earlier benchmarks.claim.run documents …
"""

from __future__ import annotations

import argparse
import runpy
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

_LIBRARY: list[torch.library.Library] = []

_attention = functional.scaled_dot_product_attention


def install() -> None:
    """Replace the products of matrices, and attention, of this process on the CPU.

    Autograd computes the gradients of these functions with the same functions.
    """
    if _LIBRARY:
        return
    library = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    _LIBRARY.append(library)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Warning only once for all operators")
        for name, function in (("mm", _mm), ("addmm", _addmm), ("bmm", _bmm)):
            library.impl(name, function, "CPU")  # type: ignore[no-untyped-call]
    functional.scaled_dot_product_attention = attention  # type: ignore[assignment]


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> torch.Tensor:
    """Return what `scaled_dot_product_attention` returns, computed in fp32 if it were in bf16.

    The arguments and the shapes are those of PyTorch.
    """
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu")
    if query.device.type != "cpu" or torch.bfloat16 not in (query.dtype, autocast):
        return _attention(query, key, value, attn_mask, dropout_p, is_causal, **options)
    with torch.autocast("cpu", enabled=False):
        query, key, value = (t.to(torch.bfloat16).float() for t in (query, key, value))
        if attn_mask is not None and attn_mask.dtype != torch.bool:
            attn_mask = attn_mask.float()
        found = _attention(query, key, value, attn_mask, dropout_p, is_causal, **options)
    return found.to(torch.bfloat16)


# The variants of the operators with `out` are other operators, so that these functions do not call
# themselves.


def _mm(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    wide = _wide(a, b)
    out = wide[0].new_empty((a.shape[0], b.shape[1]))
    return torch.mm(*wide, out=out).to(a.dtype)


def _addmm(
    c: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    wide = _wide(c, a, b)
    out = wide[1].new_empty((a.shape[0], b.shape[1]))
    return torch.addmm(*wide, beta=beta, alpha=alpha, out=out).to(a.dtype)


def _bmm(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    wide = _wide(a, b)
    out = wide[0].new_empty((a.shape[0], a.shape[1], b.shape[2]))
    return torch.bmm(*wide, out=out).to(a.dtype)


def _wide(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return tensors of bf16 in fp32, and others as they are."""
    return tuple(t.float() if t.dtype == torch.bfloat16 else t for t in tensors)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tree", type=Path, help="folder of the project to run")
    parser.add_argument("module", help="module to run, such as benchmarks.claim.run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the module")
    arguments = parser.parse_args()
    install()
    if arguments.tree is not None:
        sys.path.insert(0, str(arguments.tree.resolve()))
        for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
            del sys.modules[name]
    sys.argv[1:] = arguments.arguments
    runpy.run_module(arguments.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
