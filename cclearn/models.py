"""Loading tokenizers and models from a folder or the hub: safetensors only, no foreign code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.errors import ConfigurationError, DataError
from cclearn.files import read_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer; that of an adapter without one is its base model's.

    Raises:
        ConfigurationError: There is none of that name.
    """
    from transformers import AutoTokenizer

    with _telling(name):
        base = adapter_base(Path(name))
        own = base is None or (Path(name) / "tokenizer_config.json").is_file()
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name if own else base, revision=revision, trust_remote_code=False
        )
        return tokenizer


def load_model(name: str, revision: str | None = None, **options: Any) -> PreTrainedModel:
    """Load a causal language model. A folder with a PEFT adapter is loaded with the model that it was
    made for, and merged into it: one matrix product a layer, as fast as the model alone.

    Args:
        name: A folder, or a name on the hub.
        revision: Of the hub's repository.
        options: For transformers: `dtype`, `quantization_config`, `device_map`, ….

    Raises:
        ConfigurationError: There is no model of that name.
    """
    from transformers import AutoModelForCausalLM

    with _telling(name):
        base = adapter_base(Path(name))
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            base or name,
            revision=revision,
            trust_remote_code=False,
            use_safetensors=True,
            **options,
        )
        if base is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, name).merge_and_unload()
        return model


def adapter_base(folder: Path) -> str | None:
    """Return the model that an adapter's folder names, None for other folders.

    Raises:
        ValueError: The adapter is not whole.
    """
    settings = folder / "adapter_config.json"
    if not settings.is_file():
        return None
    if not (folder / "adapter_model.safetensors").is_file():
        raise ValueError("the adapter has no adapter_model.safetensors.")
    base = json.loads(settings.read_text(encoding="utf-8")).get("base_model_name_or_path")
    if not base:
        raise ValueError("adapter_config.json names no base model.")
    return str(base)


def read_manifest(model: str | Path) -> dict[str, Any] | None:
    """Return what a model's folder says of the run that made it, None where it says nothing.

    Raises:
        DataError: Its manifest cannot be read.
    """
    path = Path(model) / "manifest.json"
    if not path.is_file():
        return None
    try:
        manifest = json.loads(read_text(path))
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise DataError(path, "not a JSON object")
    return manifest


@contextmanager
def _telling(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigurationError(
            [
                f"model (model = {name}): cannot be loaded: {reason} Name a folder that a recipe"
                " wrote, or a model on the hub."
            ]
        ) from None
