"""Checking the values of a YAML document, with the line of every problem."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from cclearn.errors import did_you_mean, shown_id

_LONGEST_NUMBER = 64
"""Number of bits of the longest integer that a message shows. Python refuses to print very long ones."""


def describe_problems(
    path: Path, error: ValidationError, node: yaml.Node | None, root: type[BaseModel]
) -> list[str]:
    """Return the problems of a document in the form `file:line: key: problem`.

    Args:
        path: Path of the document, for the messages.
        error: Problems that pydantic found.
        node: Root node of the document (`cclearn.runtime.yaml_files.parse_yaml`).
        root: Class of the whole document, whose keys are suggested for unknown ones.
    """
    lines = lines_of(node)
    return [_describe(path, dict(problem), lines, root) for problem in error.errors()]


def lines_of(node: Any, parents: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Return the 1-based line of every key of a YAML document.

    Args:
        node: Root node of the document.
        parents: Keys above the node.
    """
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            keys = (*parents, str(key.value))
            found[keys] = key.start_mark.line + 1
            found.update(lines_of(value, keys))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            keys = (*parents, str(index))
            found[keys] = value.start_mark.line + 1
            found.update(lines_of(value, keys))
    return found


def _describe(
    path: Path,
    problem: dict[str, Any],
    lines: dict[tuple[str, ...], int],
    root: type[BaseModel],
) -> str:
    """Return one of pydantic's problems as `file:line: key: problem`."""
    keys = tuple(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = f"unknown key.{did_you_mean(keys[-1], _known_keys(keys[:-1], root))}"
    elif problem["type"] == "missing":
        message = "missing"
    else:
        value = problem.get("input")
        if isinstance(value, str):
            message = f"{message} (got '{shown_id(value)}')"
        elif isinstance(value, float) or (
            isinstance(value, int) and value.bit_length() < _LONGEST_NUMBER
        ):
            message = f"{message} (got {value!r})"
    known = keys
    while known and known not in lines:
        known = known[:-1]
    line = f":{lines[known]}" if known in lines else ""
    return f"{path}{line}: {shown_id('.'.join(keys)) or root.__name__.lower()}: {message}"


def _known_keys(parents: tuple[str, ...], root: type[BaseModel]) -> list[str]:
    """Return the keys that the settings below the given keys have."""
    settings: Any = root
    for key in parents:
        fields = getattr(settings, "model_fields", {})
        if key in fields:
            settings = _settings_of(fields[key].annotation)
    return list(getattr(settings, "model_fields", {}))


def _settings_of(annotation: Any) -> Any:
    """Return the class of settings in an annotation, e.g. `tuple[RowSourceSettings, ...]`, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_settings_of(part) for part in typing.get_args(annotation))
    return next((settings for settings in inside if settings is not None), None)
