"""Muon for the matrices of the hidden layers, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

# Muon takes 2-D parameters alone, and the output layer and the embeddings are not meant for it
# (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).
_NOT_HIDDEN = ("embed", "lm_head")


class MuonWithAdamW(Optimizer):
    """Two optimizers behind one, with one learning rate.

    Muon's updates are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982, section
    2.2), so that both take the same learning rate and a scheduler sees one optimizer.

    Args:
        model: Its trainable parameters are split by name and shape. Norms and biases are not decayed,
            as in the trainer's own groups.
        lr: The learning rate of both.
        weight_decay: Decoupled, of both.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float) -> None:
        hidden: list[nn.Parameter] = []
        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.ndim < 2:
                vectors.append(parameter)
            elif parameter.ndim > 2 or any(part in name for part in _NOT_HIDDEN):
                matrices.append(parameter)
            else:
                hidden.append(parameter)
        muon = Muon(hidden, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        groups: list[dict[str, Any]] = [
            {"params": matrices},
            {"params": vectors, "weight_decay": 0.0},
        ]
        adamw = AdamW(groups, lr=lr, weight_decay=weight_decay, fused=True)
        self._parts: tuple[Optimizer, ...] = (muon, adamw)
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._share_groups()

    def _share_groups(self) -> None:
        """Let a scheduler that changes these groups change those of the parts."""
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one step of both; a closure is evaluated once, before."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the parts, in order."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share_groups()
