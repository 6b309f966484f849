"""A cache of keys and values with room for tokens to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ROOM = 64
"""Tokens. transformers' own layers copy everything before a token to put the token behind it."""


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of a layer, shape (rows, heads, tokens, dimensions), which grow in steps of 64."""

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Take the type and the device from the first tokens."""
        super().lazy_initialization(key_states, value_states)
        self._keys, self._values = key_states[..., :0, :], value_states[..., :0, :]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put tokens behind those before, and return all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if after > self._keys.shape[-2]:
            self._keys = _with_room(self._keys[..., :before, :], after + _ROOM)
            self._values = _with_room(self._values[..., :before, :], after + _ROOM)
        self._keys[..., before:after, :] = key_states
        self._values[..., before:after, :] = value_states
        self.keys, self.values = self._keys[..., :after, :], self._values[..., :after, :]
        return self.keys, self.values


def roomy_cache(model: PreTrainedModel) -> DynamicCache:
    """Return an empty cache for a model; layers with sliding windows stay transformers' own."""
    cache = DynamicCache(config=model.config)
    cache.layers = [
        RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def _with_room(states: torch.Tensor, tokens: int) -> torch.Tensor:
    room = states.new_empty(*states.shape[:-2], tokens, states.shape[-1])
    room[..., : states.shape[-2], :] = states
    return room
