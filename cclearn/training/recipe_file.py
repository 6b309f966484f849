"""Reading recipes: YAML files, overrides of the command line, and every problem with its line."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from cclearn.errors import ConfigurationError, DataError, did_you_mean, shown_id
from cclearn.runtime.files import read_text
from cclearn.runtime.yaml_files import parse_yaml
from cclearn.training.recipe import Recipe

_BITS = 64
"""Longer numbers are not shown: Python refuses to write very long ones."""


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    Args:
        name: A YAML file, or the name of a recipe that comes with the package (`tiny/sft_scratch`).
        overrides: `key.sub=value` each; list items go by number: `rows.sources.0.share=0.5`.

    Raises:
        DataError: The file is missing or is not YAML.
        ConfigurationError: Keys or values are wrong; all of them are told at once, with their lines.
    """
    path = find_recipe(name)
    fields, node = parse_yaml(read_text(path), path)
    if not isinstance(fields, dict):
        raise DataError(path, "not a mapping of keys to values")
    problems = [problem for item in overrides if (problem := _override(fields, item))]
    if not problems:
        try:
            return Recipe.model_validate(fields)
        except ValidationError as error:
            lines = _lines(node)
            problems = [_tell(path, dict(problem), lines) for problem in error.errors()]
    raise ConfigurationError(problems)


def packaged_recipes() -> dict[str, Path]:
    """Return the recipes that come with the package, by name."""
    folder = Path(str(files("recipes")))
    return {
        file.relative_to(folder).with_suffix("").as_posix(): file
        for file in sorted(folder.rglob("*.yaml"))
        if file.parent.name != "accelerate"
    }


def find_recipe(name: str | Path) -> Path:
    """Return the file of a recipe: the path itself, or one that comes with the package.

    Raises:
        DataError: There is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = packaged_recipes()
    if str(name).removesuffix(".yaml") in known:
        return known[str(name).removesuffix(".yaml")]
    hint = did_you_mean(str(name), list(known))
    raise DataError(path, f"no such recipe.{hint} There are: {', '.join(known)}.")


def _override(fields: dict[str, Any], item: str) -> str | None:
    """Set one value in place; return what is wrong with the override, if anything."""
    key, equals, value = item.partition("=")
    if not equals:
        return f"override ({shown_id(item)}): it is not of the form key=value."
    parts = key.split(".")
    place: Any = fields
    try:
        for part in parts[:-1]:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if isinstance(place, list):
            place[int(parts[-1])] = parse_yaml(value, "override")[0]
        else:
            place[parts[-1]] = parse_yaml(value, "override")[0]
    except (ValueError, IndexError, TypeError, AttributeError, DataError):
        return (
            f"override ({shown_id(item)}): the recipe has no such place, or the value is not YAML."
            " Name the keys as in the file, quote the value."
        )
    return None


def _tell(path: Path, problem: dict[str, Any], lines: dict[tuple[str, ...], int]) -> str:
    """Say one of pydantic's problems as `file:line: key: problem`."""
    where = tuple(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = f"unknown key.{did_you_mean(where[-1], _known_keys(where[:-1]))}"
    elif problem["type"] == "missing":
        message = "missing"
    else:
        value = problem.get("input")
        if isinstance(value, str):
            message = f"{message} (got '{shown_id(value)}')"
        elif isinstance(value, float) or (isinstance(value, int) and value.bit_length() < _BITS):
            message = f"{message} (got {value!r})"
    place = where
    while place and place not in lines:
        place = place[:-1]
    line = f":{lines[place]}" if place in lines else ""
    return f"{path}{line}: {shown_id('.'.join(where)) or 'recipe'}: {message}"


def _known_keys(where: tuple[str, ...]) -> list[str]:
    """Return the keys that the settings at this place have."""
    settings: Any = Recipe
    for part in where:
        fields = getattr(settings, "model_fields", {})
        if part in fields:
            settings = _settings_of(fields[part].annotation)
    return list(getattr(settings, "model_fields", {}))


def _settings_of(annotation: Any) -> Any:
    """Return the settings in an annotation, e.g. `tuple[RowSourceSettings, ...]`, `Scratch | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_settings_of(part) for part in typing.get_args(annotation))
    return next((settings for settings in inside if settings is not None), None)


def _lines(node: Any, where: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Map every key of a YAML document to its 1-based line."""
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*where, str(key.value))
            found[place] = key.start_mark.line + 1
            found.update(_lines(value, place))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            place = (*where, str(number))
            found[place] = value.start_mark.line + 1
            found.update(_lines(value, place))
    return found
