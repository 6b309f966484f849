"""Loading of a model for decoding: its numbers, its devices, and whether it fits into their memory."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cclearn.errors import ConfigurationError, foreign_errors
from cclearn.models import adapter_base, load_model, model_files
from cclearn.runtime.memory import available_bytes
from cclearn.runtime.processors import cpu_has_bf16

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Dtype = Literal["auto", "bfloat16", "float16", "float32"]
"""Number format of the weights. `auto` is that of the model's files, or `float32` on a CPU without
instructions for bf16."""

_BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8, "bfloat16": 2, "float16": 2, "float32": 4}

_MOST_WEIGHTS = 10**15
"""Number of weights of a tensor beyond which its shape cannot be true."""

_NF4_BYTES = 0.53
"""Bytes of a weight in NF4 with double quantisation: 4 bits, and 0.127 bits for the scales (QLoRA,
Dettmers et al. 2023), rounded up."""


@dataclass(frozen=True, slots=True)
class Loading:
    """How a model is loaded.

    Attributes:
        quantise: `nf4` stores the matrices of the layers in 4 bits (bitsandbytes). None leaves them.
        dtype: Number format of the weights that are not quantised, and of the computation.
        device_map: `auto` spreads the model over all GPUs, and what they cannot hold over the main
            memory. None loads it onto one device.
    """

    quantise: Literal["nf4"] | None = None
    dtype: Dtype = "auto"
    device_map: Literal["auto"] | None = None

    def load(self, name: str) -> PreTrainedModel:
        """Load a causal language model in evaluation mode.

        Args:
            name: Folder that a recipe wrote, or name on the hub.

        Raises:
            ConfigurationError: There is no model of that name, or it does not fit into the memory.
        """
        import torch

        if self.dtype == "auto" and not torch.cuda.is_available() and not cpu_has_bf16():
            return replace(self, dtype="float32").load(name)
        options: dict[str, Any] = {"dtype": self.dtype}
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._refuse_too_large(name, device)
        if self.quantise is not None:
            options["quantization_config"] = self._quantisation()
        if self.quantise is not None or self.device_map is not None:
            options["device_map"] = self.device_map or {"": device}
            return load_model(name, **options).eval()
        model = load_model(name, **options)
        with foreign_errors(lambda _: self._too_large(name, weights_size(name, self), device)):
            return model.to(device).eval()

    def _quantisation(self) -> Any:
        import torch
        from transformers import BitsAndBytesConfig

        compute = "bfloat16" if self.dtype == "auto" else self.dtype
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, compute),
        )

    def _refuse_too_large(self, name: str, device: str) -> None:
        needed = weights_size(name, self)
        if needed > _free_memory(device, self.device_map is not None):
            raise self._too_large(name, needed, device)

    def _too_large(self, name: str, needed: int, device: str) -> ConfigurationError:
        free = _free_memory(device, self.device_map is not None)
        memory = "GPU memory" if device == "cuda" else "main memory"
        if device == "cuda" and self.device_map is not None:
            memory = "GPU memory and main memory"
        remedies = []
        if self.quantise is None:
            remedies.append("--engine quantise=nf4")
        if self.dtype == "float32":
            remedies.append("--engine dtype=bfloat16")
        if self.device_map is None and device == "cuda":
            remedies.append("--engine device_map=auto")
        remedies.append("a smaller model")
        return ConfigurationError(
            [
                f"model (model = {name}): its weights take {needed / 2**30:.1f} GiB, and"
                f" {free / 2**30:.1f} GiB of {memory} are free. Use {', or '.join(remedies)}."
            ]
        )


def weights_size(name: str, loading: Loading) -> int:
    """Return the number of bytes that the weights of a model take in memory.

    The headers of its files are read, and those of its base model if it is an adapter. The size is 0 for
    a model on the hub that is not in the hub's cache.

    Args:
        name: Folder, or name on the hub.
        loading: How the model is loaded.
    """
    base = adapter_base(Path(name))
    size = 0.0
    for model, revision in [(name, None), *([base] if base else [])]:
        folder = model_files(model, revision)
        for file in sorted(folder.glob("*.safetensors")) if folder is not None else ():
            for key, stored, shape in _tensors_of_header(file):
                # The embeddings and the output layer are not quantised.
                in_layer = len(shape) > 1 and "embed" not in key and "head" not in key
                if loading.quantise is not None and in_layer:
                    each = _NF4_BYTES
                elif loading.dtype == "auto":
                    each = _BYTES.get(stored, 1)
                else:
                    each = _BYTES[loading.dtype]
                # A damaged header may have any shape.
                size += min(prod(shape), _MOST_WEIGHTS) * each
    return round(size)


def _tensors_of_header(file: Path) -> Iterator[tuple[str, str, list[int]]]:
    """Yield the name, the number format and the shape of each tensor in a safetensors file.

    Nothing is yielded for a file that is damaged, which loading reports.
    """
    try:
        with file.open("rb") as stored:
            (length,) = struct.unpack("<Q", stored.read(8))
            header = json.loads(stored.read(min(length, file.stat().st_size)))
        tensors = [
            (key, str(entry["dtype"]), [int(size) for size in entry["shape"]])
            for key, entry in header.items()
            if key != "__metadata__"
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
        return
    yield from tensors


def _free_memory(device: str, is_spread: bool) -> int:
    """Return the number of bytes that are free for a model.

    Args:
        device: `cuda` or `cpu`.
        is_spread: Whether the model is spread over all GPUs and the main memory.
    """
    import torch

    main = available_bytes()
    if main is None:
        main = sys.maxsize if device == "cpu" else 0
    if device == "cpu":
        return main
    if not is_spread:
        return int(torch.cuda.mem_get_info()[0])
    gpus = (int(torch.cuda.mem_get_info(gpu)[0]) for gpu in range(torch.cuda.device_count()))
    return sum(gpus) + main
