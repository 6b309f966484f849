"""Loading tokenizers and models from a folder or the hub: safetensors only, no foreign code."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError
from safetensors import safe_open

from cclearn.errors import CclearnError, ConfigurationError, DataError, foreign_errors
from cclearn.files import LISTING, read_json, sha256_of_file, sha256_of_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CALIBRATION = "calibration.json"
"""In a model's folder: what its scores mean (`cclearn calibrate`)."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer; that of an adapter without one is its base model's.

    Raises:
        ConfigurationError: There is none of that name.
    """
    from transformers import AutoTokenizer

    with _telling(name):
        base = adapter_base(Path(name))
        if base is not None and not (Path(name) / "tokenizer_config.json").is_file():
            name, revision = base
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name, revision=revision, trust_remote_code=False
        )
        return tokenizer


def load_model(name: str, revision: str | None = None, **options: Any) -> PreTrainedModel:
    """Load a causal language model. A folder with a PEFT adapter is loaded with the model that it was
    made for, and merged into it where that loses nothing: in 32 bits. In 16 bits it stays beside the
    model, which takes two more products a layer; `cclearn merge` writes a merged one, and checks it.

    Args:
        name: A folder, or a name on the hub.
        revision: Of the hub's repository.
        options: For transformers: `dtype`, `quantization_config`, `device_map`, ….

    Raises:
        ConfigurationError: There is no model of that name.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with _telling(name):
        base = adapter_base(Path(name))
    of, revision = base or (name, revision)
    with _telling(name if base is None else f"{of}, the base of {name}"):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            of,
            revision=revision,
            trust_remote_code=False,
            use_safetensors=True,
            **options,
        )
    if base is None:
        return model
    with _telling(name):
        adapted = _adapted(model, name, of)
        return adapted.merge_and_unload() if model.dtype == torch.float32 else adapted


def _adapted(model: PreTrainedModel, adapter: str, base: str) -> Any:
    """Return a model with an adapter. Raises ValueError where the adapter is another model's: PEFT
    leaves out what the model has no place for."""
    from peft import PeftModel, get_peft_model_state_dict

    another = f"it was made for another model than {base}."
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")
            adapted = PeftModel.from_pretrained(model, adapter)
    except RuntimeError as error:
        if "size mismatch" not in str(error):
            raise
        raise UnusableModelError(another) from None  # Instead of a page of shapes.
    with safe_open(Path(adapter) / ADAPTER_WEIGHTS, "numpy") as weights:
        kept = {name for name in weights.keys() if "lora_" in name}  # noqa: SIM118 - it is no dict
    had = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    if kept != {name for name in had if "lora_" in name}:
        raise UnusableModelError(another)
    return adapted


def load_encoder(name: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load a text encoder and its tokenizer, in evaluation mode, onto the GPU where there is one.

    Args:
        name: A folder, or a name on the hub.

    Raises:
        ConfigurationError: There is no model of that name.
    """
    import torch
    from transformers import AutoModel

    with _telling(name):
        model: PreTrainedModel = AutoModel.from_pretrained(
            name, trust_remote_code=False, use_safetensors=True
        )
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return load_tokenizer(name), model.to(device).eval()


def adapter_base(folder: Path) -> tuple[str, str | None] | None:
    """Return the model that an adapter's folder names and its revision, None for other folders.

    A relative path is looked for in the working directory, and in every folder above the adapter.

    Raises:
        UnusableModelError: The adapter is not whole.
    """
    settings = folder / "adapter_config.json"
    if not settings.is_file():
        return None
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise UnusableModelError(f"the adapter has no {ADAPTER_WEIGHTS}.")
    named = read_json(settings)
    base = named.get("base_model_name_or_path") if isinstance(named, dict) else None
    if not base or not isinstance(base, str):
        raise UnusableModelError("adapter_config.json names no base model.")
    places = [Path(base), *(above / base for above in folder.resolve().parents)]
    found = next((str(place) for place in places if place.is_dir()), str(base))
    if Path(found).is_absolute() and not Path(found).is_dir():
        raise UnusableModelError(f"its base model is missing: there is no folder {found}.")
    revision = named.get("revision")
    return found, revision if isinstance(revision, str) else None


def model_hash(name: str | Path) -> str:
    """Return a hash of a local model's settings and of its files' names and sizes; empty for others.

    A calibration is made for the model and no part of it.
    """
    if not str(name) or not Path(name).is_dir():
        return ""
    beside = (CALIBRATION, LISTING)
    files = sorted(p for p in Path(name).iterdir() if p.is_file() and p.name not in beside)
    parts = [f"{path.name} {path.stat().st_size}" for path in files]
    parts += [sha256_of_file(path) for path in files if path.suffix == ".json"]
    return sha256_of_text("\n".join(parts))


def read_manifest(model: str | Path) -> dict[str, Any] | None:
    """Return what a model's folder says of the run that made it, None where it says nothing.

    Raises:
        DataError: Its manifest cannot be read.
    """
    path = Path(model) / "manifest.json"
    if not path.is_file():
        return None
    manifest = read_json(path)
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, problem["loc"])) or None
        raise DataError(path, f"no manifest of a model: {problem['msg']}", field=field) from None
    found: dict[str, Any] = manifest
    return found


class _CodeSystem(BaseModel):
    name: str | None = None
    release: str | None = None


class _Rows(BaseModel):
    template: Literal["paired", "listed"] = "paired"


class _Recipe(BaseModel):
    rows: _Rows = _Rows()


class _Manifest(BaseModel):
    """The fields of a manifest that are read again, where it has them."""

    code_system: _CodeSystem = _CodeSystem()
    recipe: _Recipe = _Recipe()
    tokens_seen: int | None = None
    seconds: float | None = None
    gpu_seconds: float | None = None


class UnusableModelError(CclearnError, ValueError):
    """What is wrong with a model's files, in our own words; whoever loads the model says which one."""


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """Turn what goes wrong in a block into a ConfigurationError about a model, with a safe reason."""

    def about(reason: str) -> ConfigurationError:
        return ConfigurationError(
            [
                f"model (model = {name}): cannot be loaded: {reason} Name a folder that a recipe"
                " wrote, or a model on the hub."
            ]
        )

    def foreign(place: str) -> ConfigurationError:
        return about(f"a file of it is missing, damaged, or not supported ({place}).")

    try:
        with foreign_errors(foreign):
            yield
    except UnusableModelError as error:
        raise about(str(error)) from None
