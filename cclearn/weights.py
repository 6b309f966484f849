"""The weights in a model's folder: their hash, and whether they are complete and finite."""

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
"""In a model's folder: what its scores mean (`cclearn calibrate`)."""

RECORDED = "weights_sha256"
"""The entry of a manifest that holds the hash of the weights as they were saved."""

RECORDED_BASE = "base_weights_sha256"
"""The entry of an adapter's manifest that holds the hash of the weights that it was trained over."""

_CHUNK = 1 << 24
"""Values that are checked together, so that a large matrix needs little memory beside it."""

_SHOWN = 3
"""Names of tensors that a message shows."""


def sha256_of_weights(folder: Path) -> str:
    """Return the SHA-256 of the weights in a folder, an empty string where it holds none.

    It is the hash of one line per safetensors file, in the order of their names: the name, a zero byte
    and the SHA-256 of the file.
    """
    return _sha256_of(folder, sorted(folder.glob("*.safetensors")))


def sha256_of_model(folder: Path) -> str:
    """Return the SHA-256 of everything in a folder that may decide what the model answers.

    These are all files in the folder and below it, whatever their type: weights, configuration,
    tokenizer, manifest. Documents (`.md`), hidden files and the calibration, which is made for the
    model, are left out. The scheme is that of `sha256_of_weights`.

    All bytes are read, files side by side: 0.6 to 2 GB a second and core from the page cache, so about
    10 to 25 seconds for a model of 8 billion weights in 16 bits, or as long as the disk takes. The hash
    of each file is kept for the life of the process, so that a second load costs nothing.
    """
    return _sha256_of(folder, sorted(filter(_decides, _files_in(folder))))


def refuse_changed(folder: Path, manifest: Mapping[str, Any], entry: str = RECORDED) -> None:
    """Refuse weights that are not those that a manifest records.

    Args:
        folder: The folder of a model or an adapter.
        manifest: The manifest of the folder, or of an adapter over the model in the folder. One that
            was written by an earlier version records no hash and is not checked.
        entry: The entry of the manifest that holds the hash.

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
    """Refuse a model whose files do not hold exactly the tensors of its configuration.

    Args:
        name: The model, for the message.
        report: What transformers returns as `loading_info`. Tied weights and tensors that the
            architecture is known to ignore are not in it.
        ignored: Names of tensors that may be missing or unexpected.

    Raises:
        ConfigurationError: Tensors are missing, unexpected, or of another shape.
    """
    shapes = {key: (there, wanted) for key, there, wanted in report["mismatched_keys"]}
    missing = {*report["missing_keys"]} - {*shapes, *ignored}
    unexpected = {*report["unexpected_keys"]} - {*ignored}
    problems = [
        f"{kind} {_names(keys)}"
        for kind, keys in (("missing", missing), ("unexpected", unexpected))
        if keys
    ]
    if shapes:
        first = min(shapes)
        there, wanted = (list(shape) for shape in shapes[first])
        problems.append(f"of another shape {_names(shapes)} ({there} instead of {wanted})")
    if problems:
        raise _damaged(name, f"tensors {'; '.join(problems)}")


def refuse_not_finite(name: str, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Refuse weights that hold NaN or infinity.

    Every value is read once, at the speed of the memory: 2 to 12 GB a second in main memory, so 1 to 8
    seconds for a model of 8 billion weights in 16 bits. Beside the weights nothing is held.

    Args:
        name: The model, for the message.
        tensors: The names and values of its tensors; those that are not floating-point are passed over.

    Raises:
        ConfigurationError: A tensor holds a value that is not finite.
    """
    for key, tensor in tensors:
        if tensor.is_floating_point() and not _is_finite(tensor):
            raise _damaged(name, f"{visible(key)} holds values that are not finite")


def tensors_of(model: PreTrainedModel, folder: Path | None) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of a loaded model, or of its files where the model does not hold their values.

    A quantised model holds integers in place of its weights, and a process of a sharded run holds empty
    tensors. The files are then read a second time, one tensor at a time.

    Args:
        model: The loaded model.
        folder: The folder with its files, None where it is not known.
    """
    parameters = [*model.named_parameters(), *model.named_buffers()]
    held = all(
        tensor.is_floating_point() and tensor.numel() and not tensor.is_meta
        for _, tensor in model.named_parameters()
    )
    if held or folder is None:
        yield from ((key, tensor) for key, tensor in parameters if not tensor.is_meta)
        return
    for file in sorted(folder.glob("*.safetensors")):
        yield from tensors_in(file)


def tensors_in(file: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the names and values of a safetensors file, one tensor in memory at a time."""
    with safe_open(file, "pt") as stored:
        for key in stored.keys():  # noqa: SIM118 - it is no dict
            yield key, stored.get_tensor(key)


@contextmanager
def without_load_report() -> Iterator[None]:
    """Hold back transformers' table of missing and unexpected tensors, which an error tells instead."""
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
        # Types of 8 bits have no reductions of their own.
        values = chunk.float() if chunk.element_size() == 1 else chunk
        # Both ends are finite only where all values are: aminmax hands NaN on.
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


def _decides(file: Path) -> bool:
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
    # hashlib lets other threads run, so that the files of a large model are hashed side by side.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(_sha256_of_unchanged, files))
    lines = (
        f"{file.relative_to(folder).as_posix()}\0{digest}"
        for file, digest in zip(files, digests, strict=True)
    )
    return sha256_of_text("\n".join(lines))


def _sha256_of_unchanged(file: Path) -> str:
    found = file.stat()
    return _digest(
        file, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )


@lru_cache(maxsize=4_096)
def _digest(file: Path, *_: int) -> str:
    """Return a file's SHA-256; the further arguments change whenever the file does."""
    return sha256_of_file(file)
