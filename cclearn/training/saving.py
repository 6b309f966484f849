"""Saving of a trained or merged model in a form that servers run as cclearn does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""The names in PyTorch of the types in a safetensors file."""


def stored_dtype(folder: Path) -> str:
    """Return the type of most of the weights in a folder, e.g. `bfloat16`."""
    sizes: Counter[str] = Counter()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is not a dictionary.
                part = tensors.get_slice(name)
                sizes[part.get_dtype()] += torch.Size(part.get_shape()).numel()
    (found, _), *_ = sizes.most_common(1) or [("", 0)]
    return _NAMES.get(found, found)


def end_answers_at(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set the configuration of a model so that answers are greedy and end at the end of a turn.

    A published model may have sampling settings and penalties of repetitions, which servers use by
    default, and another end-of-sequence token than the one that closes an answer.

    Args:
        model: Model to be trained or saved.
        tokenizer: Its tokenizer, whose end-of-sequence token closes an answer
            (`cclearn.prompts.encoding.pin_tokenizer`).
    """
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    for config in {id(c): c for c in (model.config, model.config.get_text_config())}.values():
        config.update(special)
    model.generation_config = GenerationConfig(**special, do_sample=False)
