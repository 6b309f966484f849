"""The memory that a model's forward pass keeps for the backward pass, measured without any weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cclearn.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Activations:
    """Memory of one batch's activations in bytes, without the output layer.

    Attributes:
        kept: Memory that the forward pass keeps for the backward pass, with the 16-bit copies of weights
            that automatic mixed precision makes.
        hidden: Memory of the hidden states between two layers.
    """

    kept: int
    hidden: int


def measure_activations(
    model: PreTrainedModel,
    recipe: Recipe,
    in_bf16: bool,
    run: Callable[[int, int], Tensor] | None = None,
) -> Activations | None:
    """Run the forward pass of a batch on tensors without content, and add up what autograd keeps.

    PyTorch's fake tensors have shapes, types and a device, but no memory, so that a model of any size
    can be measured on any machine in seconds. Attention is PyTorch's, which does not keep the matrix of
    scores, unless the recipe asks for `eager`.

    Args:
        model: Model of the recipe with its adapter, on the device `meta`. Its parameters are replaced.
        recipe: Recipe of the run.
        in_bf16: Whether the run computes in bf16 rather than fp32.
        run: Function that runs the pass for a number of rows and of tokens of each, and returns the
            hidden states. None runs the decoder of a language model.

    Returns:
        The memory; None if the pass needs the content of the tensors, as a mixture of experts does.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    training = recipe.training
    mode = FakeTensorMode()
    _replace_tensors(model, mode, torch.bfloat16 if in_bf16 else torch.float32, recipe)
    if training.attention == "eager":
        model.set_attn_implementation("eager")
    run = run or _decode_with(model)
    length = min(training.device_tokens, training.max_length)
    rows = max(1, training.device_tokens // length)
    own = {_storage(weight) for weight in model.parameters()}
    sizes: dict[int, int] = {}
    alive: list[Tensor] = []  # The number of a storage is used again after the storage is freed.

    def pack(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            sizes[_storage(tensor)] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
        return tensor

    model.train()
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # It writes a traceback for a pass that cannot run.
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            mode,
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=in_bf16),
        ):
            hidden = run(rows, length)
    except RuntimeError:
        return None
    finally:
        logger.setLevel(level)
    share = training.device_tokens / (rows * length)
    kept, states = sum(sizes.values()), hidden.numel() * hidden.element_size()
    return Activations(round(kept * share), round(states * share))


def _decode_with(model: PreTrainedModel) -> Callable[[int, int], Tensor]:
    import torch

    decoder = model.get_decoder()

    def run(rows: int, length: int) -> Tensor:
        ids = torch.zeros(rows, length, dtype=torch.long)
        hidden: Tensor = decoder(input_ids=ids, use_cache=False).last_hidden_state
        return hidden

    return run


def _replace_tensors(model: PreTrainedModel, mode: Any, compute: Any, recipe: Recipe) -> None:
    """Replace the tensors of a model on `meta` by fake tensors on the CPU, in the types of a run."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensor

    device = torch.device("cpu")
    replaced: dict[int, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if id(weight) not in replaced:  # Tied weights stay tied.
                trained = weight.requires_grad
                dtype = torch.float32 if trained else compute
                fake = FakeTensor(mode, weight.data.to(dtype), device)
                replaced[id(weight)] = torch.nn.Parameter(fake, requires_grad=trained)
            setattr(module, name, replaced[id(weight)])
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, FakeTensor(mode, buffer, device))


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
