"""Tests of bf16 products that are computed in fp32."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

COMPARISON = """
import torch
from torch.nn import functional
from benchmarks.rounded_products import install

def results(dtype):
    torch.manual_seed(0)
    a, b, c = (torch.randn(shape).to(dtype).requires_grad_() for shape in ((6, 32), (9, 32), (9,)))
    q = torch.randn(2, 2, 5, 16).to(dtype).requires_grad_()
    found = [functional.linear(a, b), functional.linear(a, b, c), torch.bmm(a[None], b.T[None])]
    found.append(functional.scaled_dot_product_attention(q, q, q, is_causal=True))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found.append(functional.linear(a, b))
        found.append(functional.scaled_dot_product_attention(q, q, q))
    sum(tensor.float().square().sum() for tensor in found).backward()
    return [*found, a.grad, b.grad, c.grad, q.grad]

kinds = (torch.bfloat16, torch.float32)
before = [results(kind) for kind in kinds]
install()
for kind, old in zip(kinds, before):
    for one, two in zip(old, results(kind), strict=True):
        assert one.dtype == two.dtype
        # The sums of attention, and those of its gradients, are rounded at other places.
        largest = one.detach().abs().max().item()
        torch.testing.assert_close(one, two, rtol=0, atol=2**-5 * largest)
        if kind == torch.float32 and one.dtype == kind and one.grad_fn is not None:
            assert torch.equal(one, two)
"""


def test_results_are_those_of_bf16() -> None:
    # The functions are replaced for the whole process.
    run = subprocess.run([sys.executable, "-c", COMPARISON], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_module_of_another_tree_runs(tmp_path: Path) -> None:
    package = tmp_path / "benchmarks"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text("import sys; print(__name__, sys.argv[1:])")
    command = [sys.executable, "-m", "benchmarks.rounded_products", "--tree", str(tmp_path)]
    run = subprocess.run(
        [*command, "benchmarks.other", "--seed", "1"], capture_output=True, text=True
    )
    assert run.stdout.strip() == "__main__ ['--seed', '1']", run.stderr
