"""Estimates of the parameters, the memory and the floating-point operations of a run."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cclearn.models import load_config
from cclearn.training.activations import Activations, measure_activations
from cclearn.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_GIB = 2**30

_FOUR_BITS = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes per parameter in 4 bits with double quantisation (Dettmers et al. 2023, section 3)."""

_FOUR_BITS_SINGLE = 0.5 + 4 / 64
"""Bytes per parameter in 4 bits without double quantisation."""

_CHUNK = 256
"""Number of positions whose logits TRL's loss keeps in memory at a time."""

_CPU_CHUNK = 512
"""Number of positions whose logits the loss on a CPU keeps in memory (`cclearn.training.head_loss`)."""

_CPU_FRAGMENTS = 1.35
"""Memory of a batch that the allocator of a CPU takes, as a multiple of what is in use. Measured with
Gemma 3 270M: batches of other lengths do not fit into the gaps that earlier ones left."""

Device = Literal["GPU", "CPU"]
DEVICES: tuple[Device, ...] = ("GPU", "CPU")


CARDS = {"an L4": 121e12, "an RTX 4090": 165e12, "an A100": 312e12, "an H100": 989e12}
"""Peak of dense matrix products in bf16, in floating-point operations per second, from the cards' data
sheets (H100: SXM)."""

CARD_EFFICIENCY = 0.3
"""Share of a card's peak that a run is assumed to reach. It is not measured."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of a model.

    Attributes:
        parameters: Number of weights.
        quantisable: Number of weights in linear layers other than the output layer.
        trained: Number of weights that the run trains.
        layers: Number of hidden layers.
        width: Width of the hidden state.
        queries: Width of the query over all heads.
        vocabulary: Number of tokens in the vocabulary.
        embedded: Number of weights that take no matrix product with a token, such as those of the input
            embedding. Products without weights, such as those of label attention, count against them.
        activations: Activations of one batch by the precision of the computation, `bf16` or `fp32`; None
            if they cannot be estimated.
    """

    parameters: int
    quantisable: int
    trained: int
    layers: int
    width: int
    queries: int
    vocabulary: int
    embedded: int
    activations: Mapping[str, Activations | None]


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in GiB that a run needs on one device without sharding.

    Attributes:
        device: Kind of the device.
        precision: Precision of the computation, `bf16` or `fp32`.
        weights: Memory of the model's weights.
        trained: Memory of the gradients, the optimizer's state and the adapter's weights.
        activations: Memory of the activations of one batch, including the logits; None if it cannot be
            estimated.
        process: Memory of the process before the model is loaded; 0 on a GPU.
    """

    device: Device
    precision: str
    weights: float
    trained: float
    activations: float | None
    process: float = 0.0

    @property
    def total(self) -> float:
        """Return the sum of all known parts."""
        return self.weights + self.trained + (self.activations or 0.0) + self.process


def card_seconds(operations: float) -> list[tuple[str, float]]:
    """Return the seconds that a number of floating-point operations takes on each of `CARDS`."""
    return [(card, operations / (CARD_EFFICIENCY * peak)) for card, peak in CARDS.items()]


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
            text.pad_token_id = config.pad_token_id = None  # Its number would be that of before.
    return shape_from_config(config, recipe)


def shape_from_config(config: PretrainedConfig, recipe: Recipe) -> Shape:
    """Return the size of a model with the given configuration and the recipe's adapter."""
    import torch

    model = _model_on_meta(config)
    parameters = sum(weight.numel() for weight in model.parameters())
    output = model.get_output_embeddings()
    quantisable = sum(
        module.weight.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not output
    )
    activations: dict[str, Activations | None] = {}
    for device in DEVICES:
        precision = precision_on(device, recipe)
        if precision not in activations:
            adapted = _adapted(_model_on_meta(config), recipe)
            activations[precision] = measure_activations(adapted, recipe, precision == "bf16")
    trained = sum(w.numel() for w in _adapted(model, recipe).parameters() if w.requires_grad)
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
        queries=head * heads,
        vocabulary=text.vocab_size,
        # Tied, they are the output layer's too, which does cost a product.
        embedded=0 if tied else text.vocab_size * text.hidden_size,
        activations=activations,
    )


def _model_on_meta(config: PretrainedConfig) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    own = deepcopy(config)  # A model changes its configuration.
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(own, trust_remote_code=False)
    return model


def _adapted(model: PreTrainedModel, recipe: Recipe) -> PreTrainedModel:
    """Add the adapter of a recipe to a model on `meta`. The model itself is changed."""
    import torch

    from cclearn.training.initial_model import adapter_config

    settings = adapter_config(recipe, model)
    if settings is not None:
        from peft import get_peft_model

        with torch.device("meta"):
            get_peft_model(model, settings)
    return model


def precision_on(device: Device, recipe: Recipe) -> str:
    """Return the precision of a run on a kind of device, `bf16` or `fp32`."""
    if recipe.training.precision == "auto":
        return "bf16" if device == "GPU" else "fp32"
    return recipe.training.precision


def estimate_memory(shape: Shape, recipe: Recipe, device: Device, process: float = 0.0) -> Memory:
    """Estimate the memory that a run needs on one device.

    The activations are those of one batch of the largest size. With gradient checkpointing, the input
    of every layer and, twice, the activations of one layer are kept. The output layer adds the logits of
    some positions at a time and, on a CPU, copies of its weights and their gradients.

    Args:
        shape: Size of the model.
        recipe: Recipe of the run.
        device: Kind of the device.
        process: Main memory of the process before the model is loaded, in GiB, for a CPU.
    """
    kind, training = recipe.adapter.kind, recipe.training
    precision = precision_on(device, recipe)
    compute = 2 if precision == "bf16" else 4
    state = 2 if training.optimizer == "adamw_8bit" else 8
    if kind == "none":
        weights, trained = 4.0 * shape.parameters, (4.0 + state) * shape.trained
    else:
        bits = _FOUR_BITS if recipe.adapter.quantisation.double else _FOUR_BITS_SINGLE
        small = shape.quantisable if kind == "qlora" else 0
        weights = bits * small + compute * float(shape.parameters - small)
        trained = (4.0 + 4.0 + state) * shape.trained
    activations = None
    if (found := shape.activations[precision]) is not None:
        kept = float(found.kept)
        if training.gradient_checkpointing:
            kept = shape.layers * found.hidden + 2 * kept / shape.layers
        head = _head_bytes(shape, training.device_tokens, device, compute, kind == "none")
        activations = (kept + head) * (_CPU_FRAGMENTS if device == "CPU" else 1) / _GIB
    on_cpu = process if device == "CPU" else 0.0
    return Memory(device, precision, weights / _GIB, trained / _GIB, activations, on_cpu)


def _head_bytes(shape: Shape, tokens: int, device: Device, compute: int, is_trained: bool) -> float:
    """Return the memory that the loss of the output layer takes.

    Args:
        shape: Size of the model.
        tokens: Number of tokens of a batch.
        device: Kind of the device.
        compute: Bytes of a value in the precision of the computation.
        is_trained: Whether the output layer is trained.
    """
    hidden = 4.0 * compute * shape.width * tokens
    if device == "GPU":  # Logits, log-probabilities and gradients in 32 bits (TRL).
        return hidden + 3 * 4 * shape.vocabulary * min(tokens, _CHUNK)
    logits = (4 + 2 * compute) * shape.vocabulary * min(tokens, _CPU_CHUNK)
    if not is_trained:
        return hidden + logits
    copied = compute if compute < 4 else 0
    return hidden + logits + float(copied + 4 + compute) * shape.vocabulary * shape.width


def estimate_operations(shape: Shape, recipe: Recipe, tokens: float, mean_length: float) -> float:
    """Estimate the number of floating-point operations of a run.

    Each weight takes two operations per token in the forward pass, two in the backward pass, and two
    more if it is trained (Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Attention takes
    4 · queries · length operations per layer and token in the forward pass, half of them under the
    causal mask, and twice as many in the backward pass. Recomputation is not counted, because it is not
    useful work.

    Args:
        shape: Size of the model.
        recipe: Recipe of the run.
        tokens: Number of tokens that the run reads, without padding, in all passes.
        mean_length: Mean length of the rows, weighted by their tokens.
    """
    products = shape.parameters - shape.embedded
    attention = 2.0 * shape.layers * shape.queries * mean_length
    if recipe.adapter.kind == "none":
        return tokens * (6.0 * products + 3 * attention)
    return tokens * (4.0 * products + 6.0 * shape.trained + 3 * attention)
