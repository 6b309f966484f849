"""The loss of the output layer on a CPU, computed only for the positions that have a label.

The output layer of a small model may hold most of its weights: 168 of the 268 million of Gemma 3 270M.
TRL's loss scores every position of a batch where Triton is missing, and adds its gradients in 32 bits.
Here only labelled positions are scored, in the precision of the run, and the gradients are computed
together with the loss, so that no logits are kept or computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

IGNORED = -100
"""Label of a token that does not contribute to the loss, such as a token of the prompt."""

_CHUNK = 512
"""Number of positions whose logits are in memory at a time."""

_SCALED = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier")
_SCALED_BY_DIVISION = ("logits_scaling",)


def has_plain_head(model: Any) -> bool:
    """Return whether a model's logits are the output layer's values, neither scaled nor capped."""
    config = model.config.get_text_config()
    settings = [getattr(config, name, None) for name in (*_SCALED, *_SCALED_BY_DIVISION)]
    return all(setting in (None, 1, 1.0) for setting in settings)


@contextmanager
def summed_loss(model: Any, labels: torch.Tensor) -> Iterator[None]:
    """Let a model return its summed loss as its logits inside the block.

    The forward pass of the output layer is replaced. It returns the sum of the negative
    log-likelihoods of all labelled tokens, a scalar in 32 bits.

    Args:
        model: Causal language model with a plain head (`has_plain_head`), or an adapter over one.
        labels: Labels of shape (rows, tokens). The label of a token is compared with the prediction at
            the position before it. `IGNORED` marks tokens without a label.
    """
    head = model.get_output_embeddings()
    targets = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    labelled = targets != IGNORED

    def forward(hidden: torch.Tensor) -> torch.Tensor:
        bias = getattr(head, "bias", None)
        summed: torch.Tensor = _SummedLoss.apply(  # type: ignore[no-untyped-call]
            hidden[labelled], head.weight, bias, targets[labelled]
        )
        return summed

    head.forward = forward
    try:
        yield
    finally:
        del head.forward


class _SummedLoss(torch.autograd.Function):
    """Sum of the cross-entropies of positions, whose gradients are computed in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        """Return the sum.

        Args:
            ctx: Context of the backward pass.
            hidden: Hidden states of shape (positions, width).
            weight: Weights of the output layer, of shape (vocabulary, width).
            bias: Bias of the output layer, of shape (vocabulary,), or None.
            targets: Next token of each position, of shape (positions,).
        """
        device = hidden.device.type
        autocast = torch.is_autocast_enabled(device)
        precision = torch.get_autocast_dtype(device) if autocast else hidden.dtype
        with torch.autocast(device, enabled=False):
            needs = ctx.needs_input_grad
            ctx.types = hidden.dtype, weight.dtype
            loss, gradients = _loss_and_gradients(
                hidden.to(precision),
                weight.to(precision),
                None if bias is None else bias.to(precision),
                targets,
                (needs[0], needs[1], bias is not None and needs[2]),
            )
        ctx.gradients = gradients
        return loss

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients, which are those of the sum times the gradient of the sum."""
        of_hidden, of_weight, of_bias = ctx.gradients
        ctx.gradients = None
        hidden_type, weight_type = ctx.types
        return (
            None if of_hidden is None else of_hidden.mul_(scale).to(hidden_type),
            None if of_weight is None else of_weight.mul_(scale).to(weight_type),
            None if of_bias is None else of_bias.mul_(scale).to(weight_type),
            None,
        )


def _loss_and_gradients(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    needs: tuple[bool, bool, bool],
) -> tuple[torch.Tensor, tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]]:
    """Return the summed loss in 32 bits, and its gradients for hidden states, weights and bias.

    Args:
        hidden: Hidden states of shape (positions, width).
        weight: Weights of shape (vocabulary, width), of the same type.
        bias: Bias of shape (vocabulary,), or None.
        targets: Next tokens of shape (positions,).
        needs: Whether each of the three gradients is needed.
    """
    loss = torch.zeros((), dtype=torch.float32)
    of_hidden = torch.empty_like(hidden) if needs[0] else None
    of_weight = of_bias = None
    for start in range(0, len(targets), _CHUNK):
        chunk, wanted = hidden[start : start + _CHUNK], targets[start : start + _CHUNK, None]
        # The gradient of a logit is its probability, minus one for the next token. In 16 bits, that of a
        # token with a probability above 0.998 would be 0.
        exact = functional.linear(chunk, weight, bias).softmax(-1, dtype=torch.float32)
        likelihoods = exact.gather(1, wanted)
        loss -= likelihoods.clamp_min(torch.finfo(torch.float32).tiny).log().sum()
        gradient = exact.scatter_add_(1, wanted, exact.new_full(wanted.shape, -1.0)).to(chunk.dtype)
        if of_hidden is not None:
            torch.mm(gradient, weight, out=of_hidden[start : start + _CHUNK])
        if needs[1]:
            of_weight = _add(of_weight, gradient.t() @ chunk)
        if needs[2]:
            of_bias = _add(of_bias, gradient.sum(0, dtype=torch.float32))
        del exact, gradient  # The next chunk needs their memory.
    return loss, (of_hidden, of_weight, of_bias)


def _add(total: torch.Tensor | None, part: torch.Tensor) -> torch.Tensor:
    """Return a sum in 32 bits, because sums over chunks would lose precision in 16."""
    return part.float() if total is None else total.add_(part)
