"""The layout of answers (`template`) that a model was trained on."""

from __future__ import annotations

import warnings
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.engines.registry import ModelSpec
from cclearn.errors import CclearnWarning, ConfigurationError
from cclearn.model_manifest import read_manifest
from cclearn.prompts import Template


def learnt_template(model: str | Path, system: CodeSystem) -> Template:
    """Return the layout that the manifest of a model records, or the default layout.

    Warns if the model was trained on the codes of another release.

    Args:
        model: Name of a model, in any form that `load_engine` accepts.
        system: Code system whose codes the model must assign.

    Raises:
        ConfigurationError: The model was trained on the codes of another code system.
    """
    manifest = read_manifest(ModelSpec.parse(str(model)).weights or model) or {}
    learnt = manifest.get("code_system", {})
    name, release = learnt.get("name") or system.name, learnt.get("release") or system.release
    if name != system.name:
        raise ConfigurationError(
            [
                f"system (system = {system.name}): the model {model} has learnt {name}. Use --system"
                f" {name}, or another model."
            ]
        )
    if release != system.release:
        warnings.warn(
            f"release (release = {system.release}): the model {model} has learnt {name} {release} and"
            " does not know codes that are new since then. Name that release, or train the model again.",
            CclearnWarning,
            stacklevel=2,
        )
    template: Template = manifest.get("recipe", {}).get("rows", {}).get("template", "paired")
    return template
