"""Reading recipes from YAML files, with overrides, and reporting every problem with its line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cclearn.errors import ConfigurationError, DataError, did_you_mean, shown_id
from cclearn.runtime.files import read_text
from cclearn.runtime.yaml_files import parse_yaml
from cclearn.runtime.yaml_models import describe_problems
from cclearn.training.recipe import Recipe

_SEVERAL_PROCESSES = re.compile(r"--config_file \S*accelerate/(?!cpu\.yaml|single_gpu\.yaml)")
"""Command of a recipe that is trained in several processes."""


_NO_RECIPES = ("accelerate", "rare_codes")
"""Folders of other YAML files: configurations of the launcher, and experiments."""


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    Args:
        name: Path of a YAML file, or the name of a packaged recipe (`tiny/sft_scratch`).
        overrides: Settings of the form `key.sub=value`. Items of a list are addressed by their index:
            `rows.sources.0.share=0.5`.

    Raises:
        DataError: The file is missing or is not YAML.
        ConfigurationError: Keys or values are invalid. The error lists all of them with their lines.
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
            problems = describe_problems(path, error, node, Recipe)
    raise ConfigurationError(problems)


def packaged_recipes() -> dict[str, Path]:
    """Return the paths of the packaged recipes by name."""
    folder = Path(str(files("recipes")))
    return {
        file.relative_to(folder).with_suffix("").as_posix(): file
        for file in sorted(folder.rglob("*.yaml"))
        if file.parent.name not in _NO_RECIPES
    }


def find_recipe(name: str | Path) -> Path:
    """Return the path of a recipe, which is the given path or that of a packaged recipe.

    Args:
        name: Path of a YAML file, or the name of a packaged recipe.

    Raises:
        DataError: There is no such recipe.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = packaged_recipes()
    if str(name).removesuffix(".yaml") in known:
        return known[str(name).removesuffix(".yaml")]
    hint = did_you_mean(str(name), list(known))
    raise DataError(path, f"no such recipe.{hint} There are: {', '.join(known)}.")


def launch_line(recipe: Recipe, config: str) -> str:
    """Return the command that trains a recipe.

    Args:
        recipe: The recipe. Its field `command` decides whether the launcher is needed.
        config: Path or name of the recipe in the command.
    """
    if recipe.command is None or not _SEVERAL_PROCESSES.search(recipe.command):
        return f"cclearn train {config}"
    return re.sub(r"--config \S+", lambda _: f"--config {config}", recipe.command)


def adapted_text(name: str | Path, target: Path) -> str:
    """Return the text of a recipe for a copy, whose commands name the copy.

    Args:
        name: Path of a YAML file, or the name of a packaged recipe.
        target: Path of the copy.

    Raises:
        DataError: There is no such recipe.
    """
    path = find_recipe(name)
    text = read_text(path)
    recipe = load_recipe(path)
    if recipe.command is not None:
        text = text.replace(recipe.command, launch_line(recipe, shlex.quote(str(target))))
    # A copy with the name of its original would write into the same folder.
    name = re.sub(r"[^\w.-]+", "-", target.stem)
    text = re.sub(rf"^name: {re.escape(recipe.name)}$", f"name: {name}", text, flags=re.M)
    output = rf"^output: {re.escape(str(recipe.output))}$"
    return re.sub(output, f"output: runs/{name}", text, flags=re.M)


def _override(fields: dict[str, Any], item: str) -> str | None:
    """Set one value in `fields`. Return the problem of the override, or None."""
    key, equals, value = item.partition("=")
    if not equals:
        return f"override ({shown_id(item)}): it is not of the form key=value."
    parts = key.split(".")
    target: Any = fields
    try:
        for part in parts[:-1]:
            target = target[int(part)] if isinstance(target, list) else target.setdefault(part, {})
        if isinstance(target, list):
            target[int(parts[-1])] = parse_yaml(value, "override")[0]
        else:
            target[parts[-1]] = parse_yaml(value, "override")[0]
    except (ValueError, IndexError, TypeError, AttributeError, DataError):
        return (
            f"override ({shown_id(item)}): the recipe has no such key, or the value is not YAML."
            " Write the keys as in the file, and quote the value."
        )
    return None
