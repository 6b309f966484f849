"""Estimates of the parameters, the memory and the floating-point operations of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cclearn.models import load_config
from cclearn.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

_GIB = 2**30

_FOUR_BITS = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes per parameter in 4 bits with double quantisation (Dettmers et al. 2023, section 3)."""

_FOUR_BITS_SINGLE = 0.5 + 4 / 64
"""Bytes per parameter in 4 bits without double quantisation."""

_CHUNK = 256
"""Number of positions whose logits TRL's fused loss keeps in memory at a time."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of a model.

    Attributes:
        parameters: Number of weights.
        quantisable: Number of weights in linear layers other than the output layer.
        trained: Number of weights that the run trains.
        layers: Number of hidden layers.
        width: Width of the hidden state.
        feed_forward: Width inside the feed-forward block.
        attention: Sum of the widths of query, key and value.
        queries: Width of the query over all heads.
        vocabulary: Number of tokens in the vocabulary.
        embedded: Number of weights of the input embedding, which takes no matrix product.
    """

    parameters: int
    quantisable: int
    trained: int
    layers: int
    width: int
    feed_forward: int
    attention: int
    queries: int
    vocabulary: int
    embedded: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in GiB that a run needs on one device without sharding.

    Attributes:
        weights: Memory of the model's weights.
        trained: Memory of the gradients, the optimizer's state and the adapter's weights.
        activations: Memory of the activations of one batch, including the logits.
    """

    weights: float
    trained: float
    activations: float

    @property
    def total(self) -> float:
        """Return the sum of all parts."""
        return self.weights + self.trained + self.activations


def shape_of(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Shape:
    """Return the size of a recipe's model. Only its configuration is loaded.

    Args:
        recipe: Recipe of the run.
        tokenizer: Tokenizer of the model.

    Raises:
        ConfigurationError: The model's configuration cannot be loaded.
    """
    from cclearn.training.scratch import make_config

    if recipe.model.scratch is not None:
        config = make_config(recipe.model.scratch, tokenizer, recipe.training.max_length)
    else:
        config = load_config(str(recipe.model.path), recipe.model.revision)
        if recipe.model.trim_vocabulary:
            text = config.get_text_config()
            text.vocab_size = min(len(tokenizer), text.vocab_size)
    return shape_from_config(config, recipe)


def shape_from_config(config: PretrainedConfig, recipe: Recipe) -> Shape:
    """Return the size of a model with the given configuration and the recipe's adapter."""
    import torch
    from transformers import AutoModelForCausalLM

    from cclearn.training.initial_model import adapter_config

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        parameters = sum(weight.numel() for weight in model.parameters())
        output = model.get_output_embeddings()
        quantisable = sum(
            module.weight.numel()
            for module in model.modules()
            if isinstance(module, torch.nn.Linear) and module is not output
        )
        trained, settings = parameters, adapter_config(recipe, model)
        if settings is not None:
            from peft import get_peft_model

            adapted = get_peft_model(model, settings)
            trained = sum(w.numel() for w in adapted.parameters() if w.requires_grad)
    text = config.get_text_config()
    heads = text.num_attention_heads
    head = getattr(text, "head_dim", None) or text.hidden_size // heads
    tied = bool(getattr(text, "tie_word_embeddings", False))
    return Shape(
        parameters=parameters,
        quantisable=quantisable,
        trained=trained,
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        feed_forward=text.intermediate_size,
        attention=head * (heads + 2 * (getattr(text, "num_key_value_heads", None) or heads)),
        queries=head * heads,
        vocabulary=text.vocab_size,
        # Tied, they are the output layer's too, which does cost a product.
        embedded=0 if tied else text.vocab_size * text.hidden_size,
    )


def estimate_memory(shape: Shape, recipe: Recipe, in_bf16: bool) -> Memory:
    """Estimate the memory that a run needs on one device.

    The estimate of the activations assumes a decoder of the LLaMA family whose attention does not form
    the matrix of scores (FlashAttention, SDPA). With gradient checkpointing, the input of every layer
    and all activations of one layer are kept. Without it, the inputs of all matrix products and norms
    are kept (after Korthikanti et al. 2022, arXiv 2205.05198, section 4, with a gated feed-forward
    block).

    Args:
        shape: Size of the model.
        recipe: Recipe of the run.
        in_bf16: Whether the run computes in bf16 rather than fp32.
    """
    kind, training = recipe.adapter.kind, recipe.training
    compute = 2 if in_bf16 else 4
    state = 2 if training.optimizer == "adamw_8bit" else 8
    if kind == "none":
        weights, trained = 4.0 * shape.parameters, (4.0 + state) * shape.trained
    else:
        bits = _FOUR_BITS if recipe.adapter.quantisation.double else _FOUR_BITS_SINGLE
        small = shape.quantisable if kind == "qlora" else 0
        weights = bits * small + compute * float(shape.parameters - small)
        trained = (4.0 + 4.0 + state) * shape.trained
    tokens = training.device_tokens
    layer = compute * (5 * shape.width + shape.attention + 4 * shape.feed_forward)
    if training.gradient_checkpointing:
        kept = shape.layers * compute * shape.width + 2 * layer
    else:
        kept = shape.layers * layer
    # Logits, log-probabilities and gradients in 32 bits, for one chunk of positions at a time.
    logits = 3 * 4 * shape.vocabulary * min(tokens, _CHUNK)
    hidden = 4 * compute * shape.width * tokens
    return Memory(weights / _GIB, trained / _GIB, (float(kept) * tokens + hidden + logits) / _GIB)


def estimate_operations(shape: Shape, recipe: Recipe, tokens: int, mean_length: float) -> float:
    """Estimate the number of floating-point operations of a run.

    Each weight takes two operations per token in the forward pass, two in the backward pass, and two
    more if it is trained (Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Attention takes
    4 · queries · length operations per layer and token in the forward pass, half of them under the
    causal mask, and twice as many in the backward pass. Recomputation is not counted, because it is not
    useful work.

    Args:
        shape: Size of the model.
        recipe: Recipe of the run.
        tokens: Number of tokens that the run reads, without padding.
        mean_length: Mean length of the rows, weighted by their tokens.
    """
    products = shape.parameters - shape.embedded
    attention = 2.0 * shape.layers * shape.queries * mean_length
    if recipe.adapter.kind == "none":
        return tokens * (6.0 * products + 3 * attention)
    return tokens * (4.0 * products + 6.0 * shape.trained + 3 * attention)
