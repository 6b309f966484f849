"""A recipe: one YAML file that says everything about a training run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cclearn.errors import ConfigurationError, DataError, did_you_mean
from cclearn.files import read_text
from cclearn.prompts.templates import RowKind
from cclearn.rows.encode import Overflow


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scratch(_Settings):
    """A Qwen3-architecture model with random weights and a BPE tokenizer trained on the rows."""

    hidden_size: int = Field(default=160, gt=0)
    layers: int = Field(default=4, gt=0)
    heads: int = Field(default=4, gt=0)
    intermediate_size: int = Field(default=448, gt=0)
    vocabulary: int = Field(default=1500, ge=400)
    initializer_range: float = Field(default=0.05, gt=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size = {self.hidden_size} is not a multiple of 2 * heads = {2 * self.heads}"
            )
        return self


class Model(_Settings):
    """What the run starts from: a hub name or folder (`path`), or random weights (`scratch`)."""

    path: str | None = None
    revision: str | None = None
    scratch: Scratch | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.path is None) == (self.scratch is None):
            raise ValueError("give either path or scratch")
        return self


class System(_Settings):
    """The code system of the rows: its name or a user's table, and its official files.

    As `CodeSystem.load` takes them.
    """

    name: str = "icd10cm"
    release: Path | None = None


class Source(_Settings):
    """A file of rows, and its share of the mix (of the rows; all sources or none have one)."""

    kind: RowKind
    path: Path
    share: float | None = Field(default=None, gt=0, le=1)


class Rows(_Settings):
    """What is trained on.

    `describe` lets a span row's answer go on with the code's description; `overflow` says what
    happens to a row longer than the context.
    """

    sources: tuple[Source, ...] = Field(min_length=1)
    overflow: Overflow = "raise"
    describe: bool = True

    @model_validator(mode="after")
    def _all_shares_or_none(self) -> Self:
        given = [source.share is not None for source in self.sources]
        if any(given) and not all(given):
            raise ValueError("sources: give every source a share, or none")
        return self


class Training(_Settings):
    """How it is trained.

    `optimizer: muon` is for models trained from scratch: Muon on the matrices of the hidden layers,
    AdamW on the rest.

    `max_length` is in tokens, `batch_size` in rows: with `batching: packed` a row is a pack of
    examples, isolated from each other, of `max_length` tokens together; with `grouped` it is one
    example, padded to the longest of a batch of like lengths.
    """

    max_length: int = Field(default=512, gt=0)
    steps: int = Field(gt=0)
    batch_size: int = Field(default=1, gt=0)
    accumulation: int = Field(default=1, gt=0)
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(gt=0)
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    batching: Literal["packed", "grouped"] = "packed"


class Recipe(_Settings):
    """A training run."""

    name: str = Field(pattern=r"^[\w.-]+$")
    seed: int = 0
    output: Path
    code_system: System = System()
    model: Model
    rows: Rows
    training: Training


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    Args:
        name: A YAML file, or the name of a recipe that comes with the package (`tiny/mixed`).
        overrides: `key.sub=value` each; list items go by number: `rows.sources.0.share=0.5`.

    Raises:
        DataError: The file is missing or is not YAML.
        ConfigurationError: Keys or values are wrong; all of them are told at once, with their lines.
    """
    path = find_recipe(name)
    text = read_text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        fields = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        problem = getattr(error, "problem", None) or "syntax error"
        raise DataError(path, f"not YAML: {problem}", line) from None
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


def find_recipe(name: str | Path) -> Path:
    """Return the file of a recipe: the path itself, or one that comes with the package.

    Raises:
        DataError: There is none.
    """
    path = Path(name)
    if path.exists():
        return path
    folder = Path(str(files("recipes")))
    packaged = folder / f"{str(name).removesuffix('.yaml')}.yaml"
    if packaged.is_file():
        return packaged
    known = [
        file.relative_to(folder).with_suffix("").as_posix()
        for file in sorted(folder.rglob("*.yaml"))
        if file.parent.name != "accelerate"
    ]
    raise DataError(
        path, f"no such recipe.{did_you_mean(str(name), known)} There are: {', '.join(known)}."
    )


def _override(fields: dict[str, Any], item: str) -> str | None:
    """Set one value in place; return what is wrong with the override, if anything."""
    key, equals, value = item.partition("=")
    if not equals:
        return f"override ({item}): it is not of the form key=value."
    parts = key.split(".")
    place: Any = fields
    try:
        for part in parts[:-1]:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if isinstance(place, list):
            place[int(parts[-1])] = yaml.safe_load(value)
        else:
            place[parts[-1]] = yaml.safe_load(value)
    except (ValueError, IndexError, TypeError, AttributeError, yaml.YAMLError):
        return (
            f"override ({item}): the recipe has no such place, or the value is not YAML."
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
        if isinstance(value, (str, int, float)):
            message = f"{message} (got {value!r})"
    place = where
    while place and place not in lines:
        place = place[:-1]
    line = f":{lines[place]}" if place in lines else ""
    return f"{path}{line}: {'.'.join(where) or 'recipe'}: {message}"


def _known_keys(where: tuple[str, ...]) -> list[str]:
    """Return the keys that the settings at this place have."""
    settings: Any = Recipe
    homes = {"model": Model, "scratch": Scratch, "rows": Rows, "training": Training}
    for part in where:
        settings = Source if part.isdigit() else homes.get(part, settings)
    return list(settings.model_fields)


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
