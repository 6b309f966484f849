"""The manifest in a model's folder, which describes the training run or the origin of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from cclearn.errors import DataError
from cclearn.runtime.parsing import read_json

LABEL_MODEL = "cclearn_plm"
"""Type of a discriminative coder in its configuration."""


def read_manifest(model: str | Path) -> dict[str, Any] | None:
    """Return the manifest in a model's folder, which describes the training run; None if there is none.

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
        raise DataError(
            path, f"it is not the manifest of a model: {problem['msg']}", field=field
        ) from None
    found: dict[str, Any] = manifest
    return found


def scores_labels(model: str | Path) -> bool:
    """Return whether the folder of a model contains a discriminative coder, which scores labels and
    writes no text (`cclearn.baselines.model.PlmModel`)."""
    try:
        config = read_json(Path(model) / "config.json")
    except DataError:
        return False
    return isinstance(config, dict) and config.get("model_type") == LABEL_MODEL


class _CodeSystem(BaseModel):
    name: str | None = None
    release: str | None = None


class _Rows(BaseModel):
    template: Literal["paired", "listed", "codes"] = "paired"


class _Training(BaseModel):
    max_length: int | None = Field(default=None, gt=0)


class _Recipe(BaseModel):
    rows: _Rows = _Rows()
    training: _Training = _Training()


class _Manifest(BaseModel):
    """The fields of a manifest that are read. All of them are optional."""

    code_system: _CodeSystem = _CodeSystem()
    recipe: _Recipe = _Recipe()
    tokens_seen: int | None = None
    seconds: float | None = None
    gpu_seconds: float | None = None
