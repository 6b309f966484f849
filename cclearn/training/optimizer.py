"""Optimizers that transformers does not have: Muon with AdamW, and AdamW with another learning rate for
the head of a discriminative coder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from cclearn.baselines.heads import LABEL_VECTORS
from cclearn.training.recipe import Training

# Muon supports only 2-D parameters, and it is not meant for the output layer and the embeddings
# (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon). The queries and classifiers of labels
# (`cclearn.baselines.heads`) are embeddings and output layers.
_NOT_HIDDEN = ("embed", "lm_head", *(f"head.{name}" for name in LABEL_VECTORS))


def optimizer_factory(
    training: Training, head_learning_rate: float | None = None
) -> tuple[Callable[[], Any], dict[str, Any]] | None:
    """Return the factory of the optimizer and its settings, or None for an optimizer of transformers.

    Args:
        training: Settings of the training.
        head_learning_rate: Learning rate of AdamW for the head of a discriminative coder. None for that
            of the other weights.
    """
    settings = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
    if training.optimizer == "muon":
        return lambda: MuonWithAdamW, settings
    if head_learning_rate is not None:
        return lambda: adamw_with_head, {**settings, "head_lr": head_learning_rate}
    return None


def adamw_with_head(model: nn.Module, lr: float, weight_decay: float, head_lr: float) -> AdamW:
    """Return AdamW with another learning rate for the head of a model.

    Args:
        model: Discriminative coder, whose head is the module `head`. Norms and biases are not decayed.
        lr: Learning rate of the encoder.
        weight_decay: Decoupled weight decay.
        head_lr: Learning rate of the head.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            # A launcher wraps the model, and puts its own name before those of the weights.
            key = ("head" in name.split("."), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": head_lr if of_head else lr,
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for (of_head, decayed), parameters in groups.items()
    ]
    return AdamW(settings, fused=True)


class MuonWithAdamW(Optimizer):
    """Muon and AdamW as one optimizer with one learning rate.

    Muon's updates are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982, section
    2.2), so that both can use the same learning rate.

    Args:
        model: Model whose trainable parameters are split by name and shape. Norms and biases are not
            decayed, as in the parameter groups of transformers' trainer.
        lr: Learning rate of both optimizers.
        weight_decay: Decoupled weight decay of both optimizers.
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
        """Share the parameter groups with both optimizers, so that a scheduler changes them too."""
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Perform one step of both optimizers. A closure is evaluated once, before the step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both optimizers."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the states that `state_dict` returned."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share_groups()
