"""Models in GGUF files, which are converted into folders of safetensors before they are used."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cclearn.errors import ConfigurationError, foreign_errors, visible
from cclearn.runtime.caches import cache_folder
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.durable import BusyError
from cclearn.runtime.files import atomic_folder, write_json
from cclearn.weights import (
    RECORDED,
    refuse_incomplete,
    refuse_not_finite,
    sha256_of_unchanged,
    sha256_of_weights,
    without_load_report,
)

SUFFIX = ".gguf"

KIND = "model"
"""Kind of a folder that `convert_gguf` writes, in its listing."""

_POLL = 0.5
"""Seconds between two looks at a conversion that another process has begun."""


def is_gguf(name: str | Path) -> bool:
    """Return whether a name is that of an existing GGUF file."""
    path = Path(name)
    return path.suffix.lower() == SUFFIX and path.is_file()


def model_folder(name: str) -> str:
    """Return the folder of a model.

    A GGUF file is converted once, into the folder `gguf` of the cache folder, whose name there is the
    SHA-256 of the file. If another process is converting it, its result is waited for.

    Args:
        name: Folder, name on the hub, or path of a GGUF file.

    Returns:
        The folder of the converted model for a GGUF file, and `name` for any other name.

    Raises:
        ConfigurationError: The file cannot be converted.
    """
    if not is_gguf(name):
        return name
    folder = cache_folder() / "gguf" / sha256_of_unchanged(Path(name))
    while not folder.is_dir():
        try:
            with atomic_folder(folder, kind=KIND) as partial:
                convert_gguf(Path(name), partial)
        except BusyError:
            time.sleep(_POLL)
    return str(folder)


@logged_step("convert GGUF file", __name__)
def convert_gguf(file: Path, folder: Path, origin: Mapping[str, Any] | None = None) -> None:
    """Write the model in a GGUF file into a folder: bf16 safetensors, the tokenizer and a manifest.

    Quantised weights are converted to their nearest values in bf16, in the memory of the whole model.

    Args:
        file: GGUF file of an architecture that transformers supports.
        folder: Existing folder that receives the files.
        origin: Further entries of the manifest, for example the licence of the model.

    Raises:
        ConfigurationError: The package `gguf` is missing, or the file is damaged or not supported.
    """
    if find_spec("gguf") is None:
        raise ConfigurationError(
            [
                f"model (path = {file}): the package gguf, which reads this file, is missing. Install"
                " cclearn[gguf]."
            ]
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    with foreign_errors(
        lambda location: _unusable(file, f"it is truncated or damaged ({location})")
    ):
        try:
            with without_load_report():
                model, report = AutoModelForCausalLM.from_pretrained(
                    **source,
                    dtype=torch.bfloat16,
                    quantization_config=GgufConfig(dequantize=True),
                    trust_remote_code=False,
                    ignore_mismatched_sizes=True,  # Mismatches are in the report.
                    output_loading_info=True,
                )
        except ValueError as error:
            if "is not supported yet" not in str(error):
                raise
            architecture = str(error).partition("architecture ")[2].partition(" ")[0]
            raise _unusable(
                file, f"transformers does not support its architecture, {visible(architecture)}"
            ) from None
        tokenizer = AutoTokenizer.from_pretrained(**source, trust_remote_code=False)
    refuse_incomplete(str(file), report)
    refuse_not_finite(str(file), model.named_parameters())
    rows = model.get_input_embeddings().weight.shape[0]
    # A tokenizer may have additional special tokens, as which the text of a note is never encoded.
    tokens = tokenizer.vocab_size
    if tokens > rows:
        raise _unusable(file, f"its tokenizer has {tokens:,} tokens and the model only {rows:,}")
    # transformers refuses to save a model that it regards as quantised.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    manifest = {
        **(origin or {}),
        "gguf": {"file": file.name, "sha256": sha256_of_unchanged(file)},
        RECORDED: sha256_of_weights(folder),
    }
    write_json(folder / "manifest.json", manifest)


def _unusable(file: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(
        [
            f"model (path = {file}): {problem}. Copy the file again, or name a file of a supported"
            " architecture."
        ]
    )
