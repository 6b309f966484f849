"""The weights in a model's folder: their hash, and checks that they are complete and finite."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from cclearn.errors import ConfigurationError, visible
from cclearn.runtime.files import LISTING, sha256_of_file, sha256_of_text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

CALIBRATION = "calibration.json"
"""Name of the calibration in a model's folder, which `cclearn calibrate` writes."""

RECORDED = "weights_sha256"
"""Key of a manifest for the hash of the saved weights."""

RECORDED_BASE = "base_weights_sha256"
"""Key of an adapter's manifest for the hash of the weights of its base model."""

_CHUNK = 1 << 24
"""Number of values that are checked together, which limits the additional memory."""

_SHOWN = 3
"""Number of names of tensors that a message shows."""


def sha256_of_weights(folder: Path) -> str:
    """Return the SHA-256 of the weights in a folder; an empty string if it contains none.

    It is the hash of one line for each safetensors file, in the order of their names. A line consists of
    the name, a zero byte and the SHA-256 of the file.
    """
    return _sha256_of(folder, sorted(folder.glob("*.safetensors")))


def sha256_of_model(folder: Path) -> str:
    """Return the SHA-256 of everything in a folder that may affect the model's answers.

    All files in the folder and its subfolders are hashed: weights, configuration, tokenizer, manifest.
    Documents (`.md`), hidden files and the calibration are left out. The scheme is that of
    `sha256_of_weights`.

    Files are read in parallel, at 0.6 to 2 GB a second for each core from the page cache. A model of 8
    billion weights in 16 bits takes about 10 to 25 seconds, or as long as the disk takes. The hash of
    each file is cached for the lifetime of the process.
    """
    return _sha256_of(folder, sorted(filter(_affects_answers, _files_in(folder))))


def refuse_changed(folder: Path, manifest: Mapping[str, Any], entry: str = RECORDED) -> None:
    """Refuse weights that do not have the hash in a manifest.

    Args:
        folder: Folder of a model or an adapter.
        manifest: Manifest of the folder, or of an adapter whose base model is in the folder. A manifest
            of an earlier version records no hash, and nothing is checked.
        entry: Key of the hash in the manifest.

    Raises:
        ConfigurationError: The hashes differ.
    """
    if entry not in manifest:
        return
    if (found := sha256_of_weights(folder)) != manifest[entry]:
        raise _damaged(
            folder,
            f"their SHA-256 is {found[:12]}… and manifest.json records"
            f" {visible(str(manifest[entry])[:12])}…",
        )


def refuse_incomplete(name: str, report: Mapping[str, Any], ignored: Collection[str] = ()) -> None:
    """Refuse a model whose files do not contain exactly the tensors of its configuration.

    Args:
        name: Name of the model, for the message.
        report: The `loading_info` that transformers returns. It does not contain tied weights and
            tensors that the architecture is known to ignore.
        ignored: Names of tensors that may be missing or unexpected.

    Raises:
        ConfigurationError: Tensors are missing, unexpected, or of another shape.
    """
    shapes = {key: (found, expected) for key, found, expected in report["mismatched_keys"]}
    missing = {*report["missing_keys"]} - {*shapes, *ignored}
    unexpected = {*report["unexpected_keys"]} - {*ignored}
    problems = [
        f"{kind} {_names(keys)}"
        for kind, keys in (("missing", missing), ("unexpected", unexpected))
        if keys
    ]
    if shapes:
        first = min(shapes)
        found, expected = (list(shape) for shape in shapes[first])
        problems.append(f"of another shape {_names(shapes)} ({found} instead of {expected})")
    if problems:
        raise _damaged(name, f"tensors {'; '.join(problems)}")


def refuse_not_finite(name: str, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Refuse weights that contain NaN or infinity.

    Every value is read once, at 2 to 12 GB a second in main memory. A model of 8 billion weights in 16
    bits takes 1 to 8 seconds, and almost no additional memory.

    Args:
        name: Name of the model, for the message.
        tensors: Names and values of the tensors. Tensors that are not floating-point are skipped.

    Raises:
        ConfigurationError: A tensor contains a value that is not finite.
    """
    for key, tensor in tensors:
        if tensor.is_floating_point() and not _is_finite(tensor):
            raise _damaged(name, f"{visible(key)} contains values that are not finite")


def tensors_of(model: PreTrainedModel, folder: Path | None) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of a loaded model, or of its files if the model does not have their values.

    A quantised model contains integers instead of its weights, and a process of a sharded run has empty
    tensors. In these cases the files are read a second time, one tensor at a time.

    Args:
        model: Loaded model.
        folder: Folder with the files of the model; None if it is unknown.
    """
    parameters = [*model.named_parameters(), *model.named_buffers()]
    has_values = all(
        tensor.is_floating_point() and tensor.numel() and not tensor.is_meta
        for _, tensor in model.named_parameters()
    )
    if has_values or folder is None:
        yield from ((key, tensor) for key, tensor in parameters if not tensor.is_meta)
        return
    for file in sorted(folder.glob("*.safetensors")):
        yield from tensors_in(file)


def tensors_in(file: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the names and values of the tensors in a safetensors file, with one tensor in memory."""
    with safe_open(file, "pt") as stored:
        for key in stored.keys():  # noqa: SIM118 - it is not a dict
            yield key, stored.get_tensor(key)


@contextmanager
def without_load_report() -> Iterator[None]:
    """Suppress the table of missing and unexpected tensors that transformers logs."""
    logger = logging.getLogger("transformers.modeling_utils")

    def keep(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _is_finite(tensor: torch.Tensor) -> bool:
    import torch

    for chunk in torch.split(tensor.detach().reshape(-1), _CHUNK):
        # Reductions are not implemented for types of 8 bits.
        values = chunk.float() if chunk.element_size() == 1 else chunk
        # Minimum and maximum are finite only if all values are, because aminmax propagates NaN.
        if not torch.isfinite(torch.stack(torch.aminmax(values))).all():
            return False
    return True


def _names(keys: Collection[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(map(visible, sorted(keys)[:_SHOWN])) + more


def _damaged(name: str | Path, problem: str) -> ConfigurationError:
    return ConfigurationError(
        [
            f"model (model = {name}): its weights are damaged or of another model: {problem}. Copy the"
            " model again, or train it again."
        ]
    )


def _affects_answers(file: Path) -> bool:
    return file.suffix != ".md" and file.name not in (CALIBRATION, LISTING)


def _files_in(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from _files_in(path)


def _sha256_of(folder: Path, files: list[Path]) -> str:
    if not files:
        return ""
    # hashlib releases the GIL, so that the files of a large model are hashed in parallel.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(sha256_of_unchanged, files))
    lines = (
        f"{file.relative_to(folder).as_posix()}\0{digest}"
        for file, digest in zip(files, digests, strict=True)
    )
    return sha256_of_text("\n".join(lines))


def sha256_of_unchanged(file: Path) -> str:
    """Return the SHA-256 of a file, which is read again only if the file has changed."""
    found = file.stat()
    return _digest(
        file, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )


@lru_cache(maxsize=4_096)
def _digest(file: Path, *_: int) -> str:
    """Return the SHA-256 of a file. The other arguments change whenever the file changes."""
    return sha256_of_file(file)
