"""The tokenizer, the model and the adapter that a run starts from."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import (
    AutoConfig,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from transformers.utils import is_flash_attn_2_available

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.gguf_files import model_folder
from cclearn.models import adapter_base, load_model, load_tokenizer
from cclearn.prompts.encoding import pin_tokenizer
from cclearn.prompts.template_choice import set_chat_template
from cclearn.rows import TrainingRow
from cclearn.runtime.processes import on_gpu, process_state, sharding
from cclearn.training.recipe import Adapter, Recipe, Training
from cclearn.training.saving import end_answers_at
from cclearn.training.scratch import make_model, make_tokenizer
from cclearn.training.trimming import needed_tokens, trim_embeddings, trim_tokenizer


def initial_tokenizer(
    recipe: Recipe, rows: list[TrainingRow], system: CodeSystem
) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the model. A model with random weights gets a new one.

    With `model.trim_vocabulary`, it has only the tokens that the rows and the code system need.

    Other programs write and end the turns of a chat with it as cclearn does
    (`cclearn.prompts.encoding.pin_tokenizer`), because it is saved with the run.

    Args:
        recipe: Recipe of the run.
        rows: Rows that a new tokenizer is trained on, or that a trimmed one must encode.
        system: Code system of the rows.

    Raises:
        ConfigurationError: The tokenizer cannot be loaded, or the chat template cannot be used.
    """
    if recipe.model.scratch is not None:
        vocabulary = recipe.model.scratch.vocabulary
        return make_tokenizer(rows, vocabulary, system.name, recipe.rows.template)
    tokenizer = load_tokenizer(str(recipe.model.path), recipe.model.revision)
    if recipe.model.chat_template is not None:
        set_chat_template(tokenizer, recipe.model.chat_template, "model.chat_template")
    pin_tokenizer(tokenizer)
    if recipe.model.trim_vocabulary:
        return trim_tokenizer(tokenizer, needed_tokens(tokenizer, rows, system))
    return tokenizer


def initial_model(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return the model without its adapter. Random weights depend on the seed of the recipe.

    Trained weights are stored in 32 bits, whatever the precision of the computation. The frozen weights
    below an adapter are stored in the precision of the run, or in 4 bits.

    Args:
        recipe: Recipe of the run.
        tokenizer: Tokenizer of the model.

    Raises:
        ConfigurationError: The model cannot be loaded, or the recipe requires a package or hardware that
            is missing.
    """
    refuse_unavailable(recipe)
    attention = attention_implementation(recipe.training)
    set_seed(recipe.seed)
    if recipe.model.scratch is not None:
        model = make_model(recipe.model.scratch, tokenizer, recipe.training.max_length)
        model.set_attn_implementation(attention)
        end_answers_at(model, tokenizer)
        return model
    kind = recipe.adapter.kind
    compute = torch.bfloat16 if computes_in_bf16(recipe.training) else torch.float32
    options: dict[str, Any] = {
        "dtype": torch.float32 if kind == "none" else compute,
        "attn_implementation": attention,
    }
    if kind == "qlora":
        options["quantization_config"] = _quantisation(recipe.adapter, compute)
        if sharding() == "none":  # Each process loads the whole model on its own device.
            options["device_map"] = {"": process_state().device}
    loaded = load_model(str(recipe.model.path), recipe.model.revision, **options)
    if recipe.model.trim_vocabulary:
        whole = load_tokenizer(str(recipe.model.path), recipe.model.revision)
        trim_embeddings(loaded, whole.get_vocab(), tokenizer.get_vocab())
    end_answers_at(loaded, tokenizer)
    return loaded


def adapter_config(recipe: Recipe, model: PreTrainedModel) -> LoraConfig | None:
    """Return the PEFT configuration of a recipe's adapter, or None if all weights are trained.

    Only the language model is adapted. The encoders of images or sound that a model may have besides,
    e.g. Gemma 3 from 4 billion weights on, never see an input.

    Args:
        recipe: Recipe of the run.
        model: Model without the adapter.
    """
    adapter = recipe.adapter
    if adapter.kind == "none":
        return None
    targets = adapter.targets
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=_outside_language_model(model, targets),
        use_dora=adapter.kind == "dora",
        task_type="CAUSAL_LM",
        revision=recipe.model.revision,
    )


def _outside_language_model(model: PreTrainedModel, targets: str | tuple[str, ...]) -> str | None:
    """Return a pattern for the targets of an adapter that are outside the language model, or None."""
    language, output = model.get_decoder(), model.get_output_embeddings()
    path = next(name for name, module in model.named_modules() if module is language)
    parts = set()
    for name, module in model.named_modules():
        if isinstance(targets, tuple):
            is_target = name.rpartition(".")[2] in targets
        else:
            is_target = isinstance(module, torch.nn.Linear)
        is_outside = path and module is not output and not f"{name}.".startswith(f"{path}.")
        if is_target and is_outside:
            # The largest part of the model that has the layer, but not the language model.
            ancestors = [".".join(name.split(".")[:n]) for n in range(1, name.count(".") + 2)]
            parts.add(next(a for a in ancestors if not f"{path}.".startswith(f"{a}.")))
    return rf"({'|'.join(map(re.escape, sorted(parts)))})(\..*)?" if parts else None


def cast_trained_weights_to_float32(model: torch.nn.Module) -> None:
    """Convert the trained weights to 32 bits.

    TRL rounds the adapters of quantised models, which a resumed run would not do. Sharded weights are
    not converted, because all weights of a shard have the same type.
    """
    if sharding() == "none":
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()


def computes_in_bf16(training: Training) -> bool:
    """Return whether a run computes in bf16. With `auto` this depends on the GPU."""
    if training.precision == "auto":
        return on_gpu() and torch.cuda.is_bf16_supported(including_emulation=False)
    return training.precision == "bf16"


def saved_dtype(recipe: Recipe) -> torch.dtype | None:
    """Return the type that a run's weights are rounded to when they are saved, or None for their own.

    Trained weights have 32 bits. A model whose weights are all trained is saved in bf16 if its base was
    stored in bf16 or the run computed in bf16. Adapters, models with random weights and discriminative
    coders are saved in the precision that they were trained in.

    Args:
        recipe: Recipe of the run, whose base model has been loaded.
    """
    if recipe.model.path is None or recipe.adapter.kind != "none" or recipe.baseline is not None:
        return None
    config = AutoConfig.from_pretrained(
        model_folder(recipe.model.path), revision=recipe.model.revision, trust_remote_code=False
    )
    is_bf16 = computes_in_bf16(recipe.training) or config.dtype == torch.bfloat16
    return torch.bfloat16 if is_bf16 else None


def attention_implementation(training: Training) -> str:
    """Return the implementation of attention. FlashAttention requires 16 bits."""
    if training.attention != "auto":
        return training.attention
    flash = on_gpu() and computes_in_bf16(training) and is_flash_attn_2_available()
    return "flash_attention_2" if flash else "sdpa"


def refuse_unavailable(recipe: Recipe) -> None:
    """Raise ConfigurationError if a package, a device or a base model of the recipe is missing."""
    training, adapter, path = recipe.training, recipe.adapter, recipe.model.path
    problems = []
    if adapter.kind != "none" and path is not None and _is_adapter(Path(path)):
        problems.append(
            f"model.path ({path}): it is an adapter itself. Merge it first (cclearn merge), or name its"
            " base model."
        )
    if recipe.model.trim_vocabulary and sharding() != "none":
        problems.append(
            "model.trim_vocabulary (true): sharded weights cannot be trimmed. Set it to false, or train"
            " without sharding."
        )
    storage = adapter.quantisation.storage
    if adapter.kind == "qlora" and sharding() == "fsdp" and storage != "bfloat16":
        problems.append(
            f"adapter.quantisation.storage ({storage}): FSDP requires one type for all weights. Set it"
            " to bfloat16."
        )
    if training.liger and not on_gpu():
        problems.append("training.liger: its kernels need a GPU. Set training.liger=false.")
    elif training.liger and find_spec("liger_kernel") is None:
        problems.append("training.liger: liger-kernel is missing. Install cclearn[liger].")
    if training.attention == "flash_attention_2" and not is_flash_attn_2_available():
        problems.append(
            "training.attention (flash_attention_2): flash-attn or its GPU is missing. Install"
            " flash-attn, or set training.attention=auto."
        )
    if training.report_to != "none" and find_spec(training.report_to) is None:
        problems.append(
            f"training.report_to: {training.report_to} is missing. Install cclearn"
            f"[{training.report_to}], or set training.report_to=none."
        )
    if problems:
        raise ConfigurationError(problems)


def _is_adapter(folder: Path) -> bool:
    try:
        return adapter_base(folder) is not None
    except ValueError:
        return True


def _quantisation(adapter: Adapter, compute: torch.dtype) -> BitsAndBytesConfig:
    quantisation = adapter.quantisation
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=quantisation.type,
        bnb_4bit_use_double_quant=quantisation.double,
        bnb_4bit_compute_dtype=compute,
        bnb_4bit_quant_storage=getattr(torch, quantisation.storage),
    )
