"""What is found by name: builders, corpora of benchmarks, formats; and settings for it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cclearn.errors import ConfigurationError, did_you_mean, shown_id

Settings = TypeVar("Settings", bound=BaseModel)


def find_plugin(name: str, registry: Mapping[str, str], kind: str, remedy: str) -> Any:
    """Return the class that a name stands for; its module is imported only now.

    Args:
        name: As the user wrote it.
        registry: By name, `module:Class`.
        kind: What it is, for the message.
        remedy: The sentence that says which there are.

    Raises:
        ConfigurationError: There is none of that name.
    """
    if name not in registry:
        hint = did_you_mean(name, registry)
        raise ConfigurationError([f"{kind} (name = {name}): not known.{hint} {remedy}"])
    module, _, attribute = registry[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def checked_settings(
    settings_type: type[Settings], settings: Mapping[str, Any], name: str
) -> Settings:
    """Check settings, all of them at once.

    Args:
        settings_type: What they are to be.
        settings: As the user gave them.
        name: Whose they are, for the messages.

    Raises:
        ConfigurationError: Settings are unknown, missing or of the wrong type.
    """
    try:
        return settings_type.model_validate(settings)
    except ValidationError as error:
        known = settings_type.model_fields
        problems = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "settings"
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                message = f"unknown setting.{did_you_mean(key, known)}"
            elif problem["type"] == "missing":
                message = "missing"
            elif problem["type"] == "tuple_type":
                message = f"not a list. Write {key}=[…]."
            problems.append(f"{name}: {shown_id(key)}: {message}")
        raise ConfigurationError(problems) from None
