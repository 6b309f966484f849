"""Loading tokenizers and models from a folder, a GGUF file or the hub: no pickle, no foreign code."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.errors import CclearnError, ConfigurationError, foreign_errors
from cclearn.gguf_files import is_gguf, model_folder
from cclearn.model_manifest import read_manifest
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.files import sha256_of_text
from cclearn.runtime.parsing import read_json
from cclearn.weights import (
    RECORDED_BASE,
    refuse_changed,
    refuse_incomplete,
    refuse_not_finite,
    sha256_of_model,
    sha256_of_unchanged,
    tensors_in,
    tensors_of,
    without_load_report,
)

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_LONGEST_TOKEN = 1_000
"""Maximum length of a special token in characters. A grammar takes many seconds with 100,000."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"


@logged_step("load tokenizer", __name__)
def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model. An adapter without a tokenizer uses that of its base model.

    Args:
        name: Folder, GGUF file, or name on the hub.
        revision: Revision of the repository on the hub; None for its default.

    Raises:
        ConfigurationError: There is no tokenizer of that name, or one of its special tokens is longer
            than 1,000 characters.
    """
    from transformers import AutoTokenizer

    with reporting_errors(name):
        base = adapter_base(Path(name))
        if base is not None and not (Path(name) / "tokenizer_config.json").is_file():
            name, revision = base
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            model_folder(name), revision=revision, trust_remote_code=False
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


def load_config(name: str, revision: str | None = None) -> PretrainedConfig:
    """Load the configuration of a model, without its weights.

    Args:
        name: Folder, GGUF file, or name on the hub.
        revision: Revision of the repository on the hub; None for its default.

    Raises:
        ConfigurationError: There is no model of that name.
    """
    from transformers import AutoConfig

    with reporting_errors(name):
        config: PretrainedConfig = AutoConfig.from_pretrained(
            model_folder(name), revision=revision, trust_remote_code=False
        )
    return config


@logged_step("load model", __name__)
def load_model(name: str, revision: str | None = None, **options: Any) -> PreTrainedModel:
    """Load a causal language model.

    A PEFT adapter is loaded with its base model. In 32 bits it is merged into the model, which loses no
    precision. In 16 or 4 bits it is not merged, which costs two further matrix products in each layer;
    `cclearn merge` writes a merged model and checks it.

    Loading is strict, for the model and its adapter. The files must contain exactly the tensors of the
    configuration, in their shapes. All values must be finite. If a manifest records the hash of the
    weights, the hash must be correct (`cclearn.weights`).

    A GGUF file is converted into a folder first (`cclearn.gguf_files`).

    Args:
        name: Folder, GGUF file, or name on the hub.
        revision: Revision of the repository on the hub; None for its default.
        options: Options of transformers, e.g. `dtype`, `quantization_config` or `device_map`.

    Raises:
        ConfigurationError: There is no model of that name, or its weights are damaged.
        DataError: Its manifest cannot be read.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with reporting_errors(name):
        base = adapter_base(Path(name))
    of, revision = base or (name, revision)
    with reporting_errors(name if base is None else f"{of}, the base of {name}"):
        model = strictly_loaded(AutoModelForCausalLM, of, revision, **options)
    if base is None:
        return model
    adapted = load_adapter(model, name, of)
    if model.dtype != torch.float32 or getattr(model, "is_quantized", False):
        return adapted
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged


@logged_step("load adapter", __name__)
def load_adapter(model: PreTrainedModel, adapter: str, base: str) -> Any:
    """Return a model with an unmerged PEFT adapter. Loading is as strict as in `load_model`.

    Args:
        model: Base model of the adapter.
        adapter: Folder of the adapter.
        base: Folder of the base model, or its name on the hub. If the manifest of the adapter records a
            hash of the base weights, the weights in the folder must have it.

    Raises:
        ConfigurationError: The adapter belongs to another model, or its weights are damaged.
        DataError: Its manifest cannot be read.
    """
    manifest = read_manifest(adapter) or {}
    refuse_changed(Path(adapter), manifest)
    folder = Path(model_folder(base))
    if folder.is_dir():
        refuse_changed(folder, manifest, RECORDED_BASE)
    with reporting_errors(adapter):
        adapted = _adapted(model, adapter, base)
        refuse_not_finite(adapter, tensors_in(Path(adapter) / ADAPTER_WEIGHTS))
    return adapted


def refuse_damaged_files(name: str) -> None:
    """Refuse a model after a check of its files, for engines that load the files themselves.

    The files of a model, and those of the base model of an adapter, must contain finite values and have
    the recorded hash, as in `load_model`. The engine itself must check that no tensor is missing. All
    weights are read one additional time, with one tensor in memory.

    Args:
        name: Folder, or name on the hub. A model on the hub is checked if it is in the hub's cache.

    Raises:
        ConfigurationError: The weights are damaged, or a file cannot be read.
        DataError: A manifest cannot be read.
    """
    with reporting_errors(name):
        base = adapter_base(Path(name))
    for model, revision in [(name, None), *([base] if base else [])]:
        folder = model_files(model, revision)
        if folder is None:
            continue
        refuse_changed(folder, read_manifest(folder) or {})
        with reporting_errors(model):
            for file in sorted(folder.glob("*.safetensors")):
                refuse_not_finite(model, tensors_in(file))


def _adapted(model: PreTrainedModel, adapter: str, base: str) -> Any:
    """Return a model with an adapter.

    PEFT ignores tensors that the model does not have, and fills missing tensors with random values.

    Raises:
        UnusableModelError: The adapter belongs to another model.
    """
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
    # PEFT writes the embeddings with an adapter if the vocabulary has grown.
    stored -= {name for name in stored if name.endswith(("embed_tokens.weight", "lm_head.weight"))}
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if stored != wanted:
        counts = f"{len(wanted - stored)} tensors are missing and {len(stored - wanted)} unexpected"
        raise UnusableModelError(f"{another}: {counts}.")
    return adapted


@logged_step("load encoder", __name__)
def load_encoder(name: str, revision: str | None = None, **options: Any) -> PreTrainedModel:
    """Load a text encoder.

    Loading is as strict as in `load_model`, with two exceptions that an encoder does not need: a pooling
    layer may be missing, and the file may contain the head of the training task.

    Args:
        name: Folder, or name on the hub.
        revision: Revision of the repository on the hub; None for its default.
        options: Options of transformers, e.g. `dtype`.

    Raises:
        ConfigurationError: There is no model of that name, or its weights are damaged.
        DataError: Its manifest cannot be read.
    """
    from transformers import AutoModel

    with reporting_errors(name):
        return strictly_loaded(AutoModel, name, revision, is_encoder=True, **options)


def strictly_loaded(
    auto: Any, name: str, revision: str | None = None, is_encoder: bool = False, **options: Any
) -> PreTrainedModel:
    """Return a model whose weights are complete, finite and, if there is a hash, unchanged.

    `reporting_errors` explains the errors of transformers.

    Args:
        auto: Class of transformers that loads the model.
        name: Folder, or name on the hub.
        revision: Revision of the repository on the hub; None for its default.
        is_encoder: Whether only the encoder is needed. The pooling layer and the head may then differ.
        options: Options of transformers.
    """
    folder = model_folder(name)
    if Path(folder).is_dir():
        refuse_changed(Path(folder), read_manifest(folder) or {})
    with without_load_report():
        model, report = auto.from_pretrained(
            folder,
            revision=revision,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # Mismatches are in the report.
            output_loading_info=True,
            **options,
        )
    ignored = _optional_tensors(model, report) if is_encoder else set()
    refuse_incomplete(name, report, ignored)
    refuse_not_finite(name, tensors_of(model, model_files(name, revision)))
    # An adapter records this name as its base, which must not be a folder of the cache.
    model.name_or_path = name
    loaded: PreTrainedModel = model
    return loaded


def _optional_tensors(model: PreTrainedModel, report: Mapping[str, Any]) -> set[str]:
    """Return the names of missing tensors of a pooling layer, and of unexpected tensors of a head."""
    parts = {name for name, _ in model.named_children()} | {model.base_model_prefix}
    heads = {key for key in report["unexpected_keys"] if key.split(".")[0] not in parts}
    return heads | {key for key in report["missing_keys"] if key.split(".")[0] == "pooler"}


def adapter_base(folder: Path) -> tuple[str, str | None] | None:
    """Return the base model of an adapter and its revision; None if the folder contains no adapter.

    A relative path is searched in the working directory and in every folder above the adapter.

    Raises:
        UnusableModelError: The adapter is incomplete.
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
    candidates = [Path(base), *(above / base for above in folder.resolve().parents)]
    found = next((str(p) for p in candidates if p.is_dir() or is_gguf(p)), str(base))
    if Path(found).is_absolute() and not (Path(found).is_dir() or is_gguf(found)):
        raise UnusableModelError(f"its base model is missing: there is no model {found}.")
    revision = named.get("revision")
    return found, revision if isinstance(revision, str) else None


def model_hash(name: str | Path, revision: str | None = None) -> str:
    """Return a hash that identifies a model: models that may answer differently have different hashes.

    The hash of a folder is that of its files (`cclearn.weights.sha256_of_model`), and the hash of a GGUF
    file is its SHA-256. The hash of an adapter
    includes that of its base model. The hash of a model on the hub is that of its name and of the commit
    in the hub's cache.

    Args:
        name: Folder, GGUF file, or name on the hub.
        revision: Revision of the repository on the hub; None for its default.

    Returns:
        64 hexadecimal digits; an empty string if the model is neither on this machine nor in the hub's
        cache.

    Raises:
        ConfigurationError: The folder contains an incomplete adapter.
    """
    folder = Path(name)
    if is_gguf(folder):
        return sha256_of_unchanged(folder)
    if not str(name) or not folder.is_dir():
        snapshot = model_files(str(name), revision) if str(name) else None
        return sha256_of_text(f"{name}@{snapshot.name}") if snapshot else ""
    with reporting_errors(str(name)):
        base = adapter_base(folder)
    own = sha256_of_model(folder)
    if base is None:
        return own
    below = _hash_of_base(*base)
    return sha256_of_text(f"{own} {below}")


def _hash_of_base(name: str, revision: str | None) -> str:
    """Return a hash of the base model of an adapter, or its name if its files are not available."""
    if Path(name).is_dir():
        return sha256_of_model(Path(name))
    return model_hash(name, revision) or f"{name}@{revision}"


def model_files(name: str, revision: str | None) -> Path | None:
    """Return the folder with a model's files: its own, its snapshot in the hub's cache, or None."""
    folder = Path(model_folder(name))
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


class UnusableModelError(CclearnError, ValueError):
    """A problem of a model's files. The caller adds the name of the model to the message."""


@contextmanager
def _explaining_no_network() -> Iterator[None]:
    """Turn the error of transformers about a hub that cannot be reached into one that says so."""
    try:
        yield
    except OSError as error:
        # The class of the error says nothing, and its text is not shown.
        if any(words in str(error) for words in ("connect to", "offline mode")):
            problem = "it is not on this machine, and the hub cannot be reached."
            raise UnusableModelError(problem) from None
        raise


@contextmanager
def reporting_errors(name: str) -> Iterator[None]:
    """Turn every error in a block into a ConfigurationError about a model, without foreign text."""

    def about(reason: str) -> ConfigurationError:
        return ConfigurationError(
            [
                f"model (model = {name}): cannot be loaded: {reason} Name a folder that a recipe"
                " wrote, or a model on the hub."
            ]
        )

    def foreign(location: str) -> ConfigurationError:
        if location.startswith(("OutOfMemoryError ", "MemoryError ")):
            return about("the memory is too small. Use --engine quantise=nf4 or device_map=auto.")
        return about(f"a file of it is missing, damaged, or not supported ({location}).")

    # The hub's client would log each attempt to connect.
    logging.getLogger("huggingface_hub.utils._http").setLevel(logging.ERROR)
    try:
        with foreign_errors(foreign), _explaining_no_network():
            yield
    except UnusableModelError as error:
        raise about(str(error)) from None
