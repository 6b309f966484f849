"""Coding with a model of yours, compared with a bare `generate` (`coding.py --local MODEL`)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from random_models import prevent_short_answers, timed

from cclearn import Note
from cclearn.codes import CodeSystem
from cclearn.coding.single_pass.coder import LLMCoder
from cclearn.engines.local import LocalEngine
from cclearn.prompts.encoding import encode_prompt
from cclearn.runtime.memory import peak_gpu_mib, peak_mib


def seconds(action: Callable[[], object]) -> Any:
    """Return the duration of an action and its processor time, in seconds."""
    started = time.process_time()
    taken = timed(action)
    return np.array([taken, time.process_time() - started])


def local(model: str, notes: list[Note], system: CodeSystem, rounds: int) -> dict[str, Any]:
    """Compare `single_pass` with a bare `generate` of the same prompts and as many new tokens.

    The notes are coded in batches of 16. No answer ends before 64 tokens, unless it repeats a line. In
    each round, every batch is coded and generated in turn. The bare `generate` has no grammar and
    computes no log-probabilities. Processor time depends less on other programs than the time does.
    """
    batch, answer = 16, 64
    used = LocalEngine.load(model, batch_size=batch, max_new_tokens=answer)
    prevent_short_answers(used)
    coder = LLMCoder(used, system)
    coder._codes  # noqa: B018 - it is built once per process
    batches = [notes[start : start + batch] for start in range(0, len(notes), batch)]
    steps: list[int] = []
    tokens = 0
    for some in batches:  # The peak memory is that of coding alone.
        answers = [parts[0].answer for _, parts in coder.answer_many(some)]
        steps.append(max(len(found.pieces) for found in answers))
        tokens += sum(found.answer_tokens for found in answers)
    memory = {"peak_main_mib": peak_mib(), "peak_gpu_mib": peak_gpu_mib()}

    def bare(some: list[Note], new_tokens: int) -> None:
        prompts = [encode_prompt(used.tokenizer, coder.request(note).prompt) for note in some]
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        with torch.inference_mode():
            used.model.generate(
                input_ids=ids.to(used.model.device),
                attention_mask=mask.to(used.model.device),
                max_new_tokens=new_tokens,
                min_new_tokens=new_tokens,
                do_sample=False,
            )

    ratios, processor_ratios, coding, generating = [], [], [], []
    for _ in range(rounds):
        coded, generated = np.zeros(2), np.zeros(2)
        for some, new_tokens in zip(batches, steps, strict=True):
            coded += seconds(lambda some=some: list(coder.code_many(some)))
            generated += seconds(lambda some=some, count=new_tokens: bare(some, count))
        coding.append(coded[0])
        generating.append(generated[0])
        ratios.append(round(float(generated[0] / coded[0]), 3))
        processor_ratios.append(round(float(generated[1] / coded[1]), 3))
    return {
        "model": used.name,
        "parameters": used.model.num_parameters(),
        "notes": len(notes),
        "prompt_tokens_a_note": round(coder.usage.prompt_tokens / len(notes) / (rounds + 1)),
        "steps_a_batch": steps,
        "answer_tokens_per_second": round(tokens / statistics.median(coding), 1),
        "steps_times_rows_per_second": round(
            sum(map(int.__mul__, steps, map(len, batches))) / statistics.median(coding), 1
        ),
        "steps_times_rows_per_second_bare": round(
            sum(map(int.__mul__, steps, map(len, batches))) / statistics.median(generating), 1
        ),
        "ratios": {
            "single_pass / bare generate": ratios,
            "the same in processor time": processor_ratios,
        },
        **memory,
    }
