"""Greedy decoding of a batch with transformers, whatever the model's files say about decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LogitsProcessor

from cclearn.engines.attention_cache import preallocated_cache

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    guide: LogitsProcessor,
    *,
    max_new_tokens: int,
    pad: int,
    end: int,
) -> list[list[int]]:
    """Return the generated tokens of each prompt, up to the longest answer of the batch.

    The settings in a model's `generation_config.json` are those of its chats: a penalty on tokens of the
    prompt, forbidden tokens, further tokens that end an answer. None of them applies here, because an
    answer repeats the words of its note.

    Args:
        model: Causal language model in evaluation mode.
        prompts: Tokens of each prompt, at least one.
        guide: Processor that changes the scores of the next token, of shape (rows, vocabulary).
        max_new_tokens: Maximum number of tokens of an answer.
        pad: Token that fills up shorter prompts on the left, and answers that have ended.
        end: Token that ends an answer.
    """
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(p)) + [*p] for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    with torch.inference_mode(), _own_settings(model):
        output: Any = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            logits_processor=[guide],
            past_key_values=preallocated_cache(model),
            pad_token_id=pad,
            eos_token_id=end,
        )
    generated: list[list[int]] = output[:, width:].tolist()  # This waits for the GPU.
    return generated


@contextmanager
def _own_settings(model: PreTrainedModel) -> Iterator[None]:
    """Replace the decoding settings of a model by the defaults of transformers for a while.

    Settings that are passed to `generate` do not suffice: those of the model fill in all others.
    """
    # The model below an adapter has the settings.
    inner: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    kept = inner.generation_config
    inner.generation_config = GenerationConfig()
    try:
        yield
    finally:
        inner.generation_config = kept
