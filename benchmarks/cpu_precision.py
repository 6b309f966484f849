"""Compare bf16 with fp32 on this CPU: scoring candidates, decoding, and the two passes of training.

python -m benchmarks.cpu_precision MODEL

MODEL is a folder of a causal language model, such as that of Gemma 3 270M (`cclearn models assemble`).
Each part runs on one thread, in both precisions in turn, so that other programs slow both of them. The
result is written to `benchmarks/results/cpu_precision.json`, with the instructions of the CPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import save
from cclearn.codes import CodeSystem
from cclearn.engines import Choice, Request
from cclearn.engines.loading import Dtype, Loading
from cclearn.engines.local import LocalEngine
from cclearn.errors import CclearnError
from cclearn.models import load_model
from cclearn.prompts import span_answer, span_prompt
from cclearn.runtime.processors import cpu_has_bf16
from cclearn.runtime.progress import quiet_libraries

NAME = "cpu_precision"

SPANS = 2
CANDIDATES = 40
NEW_TOKENS = 32
ROWS = (4, 128)
"""Rows of a training batch, and tokens of a row."""

ROUNDS = 2


def coding(model: str, system: CodeSystem) -> dict[str, Any]:
    """Return the seconds of scoring the candidates of spans, and of decoding answers, by precision."""
    codes = system.billable_codes()[:: len(system.billable_codes()) // CANDIDATES][:CANDIDATES]
    texts = [f"pain in the left knee for {number} weeks" for number in range(2, 2 + SPANS)]
    prompts = [span_prompt(text, system.name, "paired") for text in texts]
    dtypes: list[Dtype] = ["bfloat16", "float32"]
    engines = {
        dtype: LocalEngine.load(
            model,
            batch_size=SPANS,
            max_new_tokens=NEW_TOKENS,
            chat_template="gemma",
            loading=Loading(dtype=dtype),
        )
        for dtype in dtypes
    }

    def score(engine: LocalEngine) -> None:
        choices = (
            Choice(
                str(number),
                prompt,
                [span_answer(text, code, template="paired") for code in codes],
                "synthetic",
            )
            for number, (text, prompt) in enumerate(zip(texts, prompts, strict=True))
        )
        list(engine.log_likelihoods(choices))

    def decode(engine: LocalEngine) -> None:
        list(
            engine.generate(
                Request(str(number), prompt, None, "synthetic")
                for number, prompt in enumerate(prompts)
            )
        )

    return {
        name: in_turn({dtype: partial(action, engine) for dtype, engine in engines.items()})
        for name, action in {"scoring": score, "decoding": decode}.items()
    }


def training(model: str) -> dict[str, Any]:
    """Return the seconds of a forward and a backward pass of the layers, by precision."""
    whole = load_model(model, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1_000, 2_000, ROWS, generator=generator)

    def step(in_bf16: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16):
            hidden = whole.model(input_ids=ids).last_hidden_state
        hidden.float().square().mean().backward()
        whole.zero_grad()

    return in_turn({"bfloat16": lambda: step(True), "float32": lambda: step(False)})


def in_turn(actions: dict[str, Callable[[], object]]) -> dict[str, Any]:
    """Return the shortest duration of each action, and that of the first divided by that of the last.

    Args:
        actions: Functions by name.
    """
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(ROUNDS):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            taken[name].append(time.perf_counter() - started)
    shortest = {name: round(min(each), 3) for name, each in taken.items()}
    slower, *_, faster = shortest.values()
    return {"seconds": shortest, "ratio": round(slower / faster, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="folder of a causal language model")
    model = str(Path(parser.parse_args().model).resolve())
    quiet_libraries()
    torch.set_num_threads(1)
    try:
        measured = {**coding(model, CodeSystem.load()), "training": training(model)}
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    capabilities = torch.cpu.get_capabilities()
    names = ("cpu_name", "avx2", "avx512_f", "avx512_bf16", "amx_bf16")
    result = {
        "model": Path(model).name,
        "bf16_instructions": cpu_has_bf16(),
        "cpu": {name: capabilities.get(name) for name in names},
        **measured,
    }
    save(NAME, result)


if __name__ == "__main__":
    main()
