"""What a run will take, before a weight is loaded: parameters, memory, floating-point operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError
from cclearn.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

_GIB = 2**30

_FOUR_BITS = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a parameter in four bits, its block's constant in eight (Dettmers et al. 2023, section 3)."""

_FOUR_BITS_SINGLE = 0.5 + 4 / 64
"""The same without double quantisation."""

_CHUNK = 256
"""Positions whose logits TRL's fused loss holds at once."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's size.

    Attributes:
        parameters: All weights.
        quantisable: Those in linear layers other than the output layer.
        trained: Those that the run changes.
        layers: Hidden layers.
        width: Of the hidden state.
        feed_forward: Width inside the feed-forward block.
        attention: Widths of query, key and value, in all.
        queries: Width of the query, the heads' together.
        vocabulary: Size of the output.
        embedded: Weights of the input embedding, which cost no products.
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
    """What one device must hold, in GiB, on one device without sharding.

    Attributes:
        weights: Of the model, in the precision that they are held in.
        trained: Gradients and the optimiser's state, and an adapter's weights.
        activations: What the backward pass needs of one batch, the logits included.
    """

    weights: float
    trained: float
    activations: float

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.weights + self.trained + self.activations


def shape_of(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Shape:
    """Return the size of a recipe's model; no weight is loaded, its configuration alone.

    Raises:
        ConfigurationError: There is no model of that name.
    """
    from cclearn.training.scratch import make_config

    if recipe.model.scratch is not None:
        config = make_config(recipe.model.scratch, tokenizer, recipe.training.max_length)
    else:
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(
                str(recipe.model.path), revision=recipe.model.revision, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigurationError(
                [f"model.path (path = {recipe.model.path}): cannot be loaded: {reason}"]
            ) from None
    return shape_of_config(config, recipe)


def shape_of_config(config: PretrainedConfig, recipe: Recipe) -> Shape:
    """Return the size of a model of this configuration, with the recipe's adapter."""
    import torch
    from transformers import AutoModelForCausalLM

    from cclearn.training.start import adapter_of

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        parameters = sum(weight.numel() for weight in model.parameters())
        output = model.get_output_embeddings()
        quantisable = sum(
            module.weight.numel()
            for module in model.modules()
            if isinstance(module, torch.nn.Linear) and module is not output
        )
        trained, settings = parameters, adapter_of(recipe)
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


def memory_of(shape: Shape, recipe: Recipe, in_bf16: bool) -> Memory:
    """Estimate what one device must hold.

    Weights follow from their number. Activations are those that a decoder of the LLaMA kind keeps with
    an attention that forms no matrix (FlashAttention, SDPA): a layer's input where layers are computed
    again, with one layer whole; else all that a layer's products and norms read (after Korthikanti et
    al. 2022, arXiv 2205.05198, section 4, with a gated feed-forward block).

    Args:
        shape: Of the model.
        recipe: Its adapter, precision and batch.
        in_bf16: Whether it computes in 16 bits.
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
    tokens = training.batch_size * training.max_length
    layer = compute * (5 * shape.width + shape.attention + 4 * shape.feed_forward)
    if training.gradient_checkpointing:
        kept = shape.layers * compute * shape.width + 2 * layer
    else:
        kept = shape.layers * layer
    # Logits, their log-probabilities and gradients, in 32 bits, a chunk of positions at a time.
    logits = 3 * 4 * shape.vocabulary * min(tokens, _CHUNK)
    hidden = 4 * compute * shape.width * tokens
    return Memory(weights / _GIB, trained / _GIB, (float(kept) * tokens + hidden + logits) / _GIB)


def operations_of(shape: Shape, recipe: Recipe, tokens: int, mean_length: float) -> float:
    """Return the floating-point operations of training on so many tokens.

    Two a weight and token forwards, two backwards for activations, two more for weights that are
    trained (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); attention 4 · queries · length a layer
    and token forwards, half of it under the causal mask, twice that backwards. Recomputation is not
    counted: it is no useful work.

    Args:
        shape: Of the model.
        recipe: Its adapter.
        tokens: That are read, padding aside.
        mean_length: Of the rows, weighted by tokens: how far attention reaches.
    """
    products = shape.parameters - shape.embedded
    attention = 2.0 * shape.layers * shape.queries * mean_length
    if recipe.adapter.kind == "none":
        return tokens * (6.0 * products + 3 * attention)
    return tokens * (4.0 * products + 6.0 * shape.trained + 3 * attention)
