"""An estimate of the size and the memory of the model of a discriminative coder."""

from __future__ import annotations

import torch
from torch import Tensor

from cclearn.baselines.model import PlmConfig, PlmModel
from cclearn.training.activations import Activations, measure_activations
from cclearn.training.estimate import DEVICES, Shape, precision_on
from cclearn.training.recipe import Recipe


def plm_shape(config: PlmConfig, recipe: Recipe) -> Shape:
    """Return the size of a discriminative coder. No weight is loaded.

    Args:
        config: Configuration of the model.
        recipe: Recipe of the run, with the section `baseline`.
    """
    model = _on_meta(config)
    encoder = model.encoder.config
    parameters = sum(weight.numel() for weight in model.parameters())
    in_encoder = sum(weight.numel() for weight in model.encoder.parameters())
    words = model.encoder.get_input_embeddings().weight.numel()
    width = int(encoder.hidden_size)
    # Each label attends to each token: two products with as many terms as the width.
    attended = 2 * len(config.codes) * width
    activations: dict[str, Activations | None] = {}
    for device in DEVICES:
        precision = precision_on(device, recipe)
        if precision not in activations:
            activations[precision] = _activations(_on_meta(config), recipe, precision == "bf16")
    return Shape(
        parameters=parameters,
        quantisable=0,
        trained=parameters,
        layers=int(encoder.num_hidden_layers),
        width=width,
        queries=2 * width,  # Without a causal mask, a token attends to twice as many.
        vocabulary=0,  # There is no output layer over tokens.
        embedded=words + parameters - in_encoder - attended,
        activations=activations,
    )


def _activations(model: PlmModel, recipe: Recipe, in_bf16: bool) -> Activations | None:
    """Return the activations of a batch, None if they cannot be measured."""

    def run(rows: int, length: int) -> Tensor:
        texts = rows * _texts(recipe)
        chunk = model.config.chunk
        chunks = -(-length // chunk)
        ids = torch.zeros(texts * chunks, chunk, dtype=torch.long)
        states = model.encoder(input_ids=ids, attention_mask=torch.ones_like(ids))
        hidden: Tensor = states.last_hidden_state.view(texts, chunks * chunk, -1)
        model.head(hidden, torch.ones(texts, chunks * chunk, dtype=torch.bool))
        return hidden

    return measure_activations(model, recipe, in_bf16, run)


def _texts(recipe: Recipe) -> int:
    """Return the largest number of texts that are read for each document of a batch."""
    settings = recipe.baseline
    if settings is None:
        return 1
    return (2 if settings.guidelines else 1) * (2 if settings.consistency else 1)


def _on_meta(config: PlmConfig) -> PlmModel:
    with torch.device("meta"):
        return PlmModel(config)
