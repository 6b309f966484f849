"""A cache of attention keys and values with capacity for further tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_GROWTH = 64
"""Number of tokens that a layer grows by. The layers of transformers copy everything for each token."""


class PreallocatedLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of a layer, shape (rows, heads, tokens, dimensions), which grow in steps of 64."""

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Use the data type and the device of the first tokens."""
        super().lazy_initialization(key_states, value_states)
        self._keys, self._values = key_states[..., :0, :], value_states[..., :0, :]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append tokens, and return all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if after > self._keys.shape[-2]:
            self._keys = _enlarge(self._keys[..., :before, :], after + _GROWTH)
            self._values = _enlarge(self._values[..., :before, :], after + _GROWTH)
        self._keys[..., before:after, :] = key_states
        self._values[..., before:after, :] = value_states
        self.keys, self.values = self._keys[..., :after, :], self._values[..., :after, :]
        return self.keys, self.values


def preallocated_cache(model: PreTrainedModel) -> DynamicCache:
    """Return an empty cache for a model. Layers with sliding windows are those of transformers."""
    cache = DynamicCache(config=model.config)
    cache.layers = [
        PreallocatedLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def _enlarge(states: torch.Tensor, tokens: int) -> torch.Tensor:
    enlarged = states.new_empty(*states.shape[:-2], tokens, states.shape[-1])
    enlarged[..., : states.shape[-2], :] = states
    return enlarged
