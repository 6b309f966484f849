"""Loading tokenizers and models from a folder or the hub: safetensors only, no foreign code."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from cclearn.errors import CclearnError, ConfigurationError, DataError, foreign_errors
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.files import sha256_of_text
from cclearn.runtime.parsing import read_json
from cclearn.weights import (
    RECORDED_BASE,
    refuse_changed,
    refuse_incomplete,
    refuse_not_finite,
    sha256_of_model,
    tensors_in,
    tensors_of,
    without_load_report,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LONGEST_TOKEN = 1_000
"""Characters. The grammar of answers takes many seconds with a special token of 100,000."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"


@logged_step("load tokenizer", __name__)
def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer; that of an adapter without one is its base model's.

    Raises:
        ConfigurationError: There is no tokenizer of that name, or one of its special tokens is longer
            than 1,000 characters.
    """
    from transformers import AutoTokenizer

    with _telling(name):
        base = adapter_base(Path(name))
        if base is not None and not (Path(name) / "tokenizer_config.json").is_file():
            name, revision = base
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name, revision=revision, trust_remote_code=False
        )
    longest = max(map(len, tokenizer.all_special_tokens), default=0)
    if longest > _LONGEST_TOKEN:
        raise ConfigurationError(
            [
                f"model (name = {name}): a special token of its tokenizer has {longest:,} characters;"
                f" at most {_LONGEST_TOKEN:,} are allowed. Copy the tokenizer's files again."
            ]
        )
    return tokenizer


@logged_step("load model", __name__)
def load_model(name: str, revision: str | None = None, **options: Any) -> PreTrainedModel:
    """Load a causal language model. A folder with a PEFT adapter is loaded with the model that it was
    made for, and merged into it where that loses nothing: in 32 bits. In 16 bits it stays beside the
    model, which takes two more products a layer; `cclearn merge` writes a merged one, and checks it.

    Loading is strict, for the model and its adapter: their files must hold every tensor of the
    configuration, in its shape, and no other; all values must be finite; and where a manifest records
    the hash of the weights, it must be theirs (`cclearn.weights`).

    Args:
        name: A folder, or a name on the hub.
        revision: The revision of the repository on the hub, None for its default.
        options: For transformers: `dtype`, `quantization_config`, `device_map`, ….

    Raises:
        ConfigurationError: There is no model of that name, or its weights are damaged.
        DataError: Its manifest cannot be read.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with _telling(name):
        base = adapter_base(Path(name))
    of, revision = base or (name, revision)
    with _telling(name if base is None else f"{of}, the base of {name}"):
        model = _strictly_loaded(AutoModelForCausalLM, of, revision, **options)
    if base is None:
        return model
    adapted = load_adapter(model, name, of)
    if model.dtype != torch.float32:
        return adapted
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged


@logged_step("load adapter", __name__)
def load_adapter(model: PreTrainedModel, adapter: str, base: str) -> Any:
    """Return a model with a PEFT adapter beside its weights; loading is as strict as in `load_model`.

    Args:
        model: The model that the adapter was made for.
        adapter: The adapter's folder.
        base: The folder of the model, or its name on the hub. The weights in a folder must be those that
            the adapter was trained over, where its manifest records their hash.

    Raises:
        ConfigurationError: The adapter was made for another model, or its weights are damaged.
        DataError: Its manifest cannot be read.
    """
    manifest = read_manifest(adapter) or {}
    refuse_changed(Path(adapter), manifest)
    if Path(base).is_dir():
        refuse_changed(Path(base), manifest, RECORDED_BASE)
    with _telling(adapter):
        adapted = _adapted(model, adapter, base)
        refuse_not_finite(adapter, tensors_in(Path(adapter) / ADAPTER_WEIGHTS))
    return adapted


def refuse_damaged_files(name: str) -> None:
    """Refuse a model by its files alone, for engines that load them by themselves.

    The files of a model, and those of its base where it is an adapter, must hold finite values and have
    the recorded hash, as in `load_model`; that no tensor is missing is left to the engine. All weights
    are read once more for it, one tensor in memory at a time.

    Args:
        name: A folder, or a name on the hub, which is checked where it is in the hub's cache.

    Raises:
        ConfigurationError: The weights are damaged, or a file cannot be read.
        DataError: A manifest cannot be read.
    """
    with _telling(name):
        base = adapter_base(Path(name))
    for each, revision in [(name, None), *([base] if base else [])]:
        folder = _files_of(each, revision)
        if folder is None:
            continue
        refuse_changed(folder, read_manifest(folder) or {})
        with _telling(each):
            for file in sorted(folder.glob("*.safetensors")):
                refuse_not_finite(each, tensors_in(file))


def _adapted(model: PreTrainedModel, adapter: str, base: str) -> Any:
    """Return a model with an adapter. Raises ValueError where the adapter is another model's: PEFT
    leaves out what the model has no place for, and fills with random values what the file lacks."""
    from peft import PeftModel, get_peft_model_state_dict

    another = f"it was made for another model than {base}, or is damaged"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")
            adapted = PeftModel.from_pretrained(model, adapter)
    except RuntimeError as error:
        if "size mismatch" not in str(error):
            raise
        raise UnusableModelError(f"{another}: tensors have other shapes.") from None
    stored = {name for name, _ in tensors_in(Path(adapter) / ADAPTER_WEIGHTS)}
    # PEFT writes the embeddings beside an adapter where their vocabulary has grown.
    stored -= {name for name in stored if name.endswith(("embed_tokens.weight", "lm_head.weight"))}
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if stored != wanted:
        counts = f"{len(wanted - stored)} tensors are missing and {len(stored - wanted)} unexpected"
        raise UnusableModelError(f"{another}: {counts}.")
    return adapted


@logged_step("load encoder", __name__)
def load_encoder(name: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load a text encoder and its tokenizer, in evaluation mode, onto the GPU where there is one.

    Loading is as strict as in `load_model`, but for parts that an encoder does without: a pooling layer
    may be missing, and the head of the task that it was trained on may stand in the file.

    Args:
        name: A folder, or a name on the hub.

    Raises:
        ConfigurationError: There is no model of that name, or its weights are damaged.
        DataError: Its manifest cannot be read.
    """
    import torch
    from transformers import AutoModel

    with _telling(name):
        model = _strictly_loaded(AutoModel, name, encodes=True)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return load_tokenizer(name), model.to(device).eval()


def _strictly_loaded(
    auto: Any, name: str, revision: str | None = None, encodes: bool = False, **options: Any
) -> PreTrainedModel:
    """Return a model whose weights are complete, finite and, where there is a hash, unchanged.

    Args:
        auto: The class of transformers that loads it.
        name: A folder, or a name on the hub.
        revision: The revision of the repository on the hub, None for its default.
        encodes: Whether only the encoder is wanted, so that its pooling layer and the head may differ.
        options: For transformers.
    """
    if Path(name).is_dir():
        refuse_changed(Path(name), read_manifest(name) or {})
    with without_load_report():
        model, report = auto.from_pretrained(
            name,
            revision=revision,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # They are in the report.
            output_loading_info=True,
            **options,
        )
    ignored = _of_no_encoder(model, report) if encodes else set()
    refuse_incomplete(name, report, ignored)
    refuse_not_finite(name, tensors_of(model, _files_of(name, revision)))
    loaded: PreTrainedModel = model
    return loaded


def _of_no_encoder(model: PreTrainedModel, report: Mapping[str, Any]) -> set[str]:
    """Return the names of tensors of a pooling layer that is missing, and of a head that is there."""
    parts = {name for name, _ in model.named_children()} | {model.base_model_prefix}
    heads = {key for key in report["unexpected_keys"] if key.split(".")[0] not in parts}
    return heads | {key for key in report["missing_keys"] if key.split(".")[0] == "pooler"}


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


def model_hash(name: str | Path, revision: str | None = None) -> str:
    """Return a hash that names a model: two models that may answer differently have two.

    Of a folder it is the hash of its files (`cclearn.weights.sha256_of_model`); with an adapter, that of
    the base is part of it. Of a model on the hub it is the hash of its name and of the commit that the
    hub's cache holds.

    Args:
        name: A folder, or a name on the hub.
        revision: The revision of the repository on the hub, None for its default.

    Returns:
        64 hexadecimal digits; an empty string where the model is neither a folder nor in the cache.

    Raises:
        ConfigurationError: The folder holds an adapter that is not complete.
    """
    folder = Path(name)
    if not str(name) or not folder.is_dir():
        snapshot = _files_of(str(name), revision) if str(name) else None
        return sha256_of_text(f"{name}@{snapshot.name}") if snapshot else ""
    with _telling(str(name)):
        base = adapter_base(folder)
    own = sha256_of_model(folder)
    if base is None:
        return own
    of = Path(base[0])
    below = sha256_of_model(of) if of.is_dir() else model_hash(*base) or f"{base[0]}@{base[1]}"
    return sha256_of_text(f"{own} {below}")


def _files_of(name: str, revision: str | None) -> Path | None:
    """Return the folder of a model's files: its own, or its snapshot in the hub's cache, if any."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


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
