"""Settings of the rare-code experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from cclearn.errors import ConfigurationError, DataError
from cclearn.runtime.files import read_text
from cclearn.runtime.yaml_files import parse_yaml
from cclearn.runtime.yaml_models import describe_problems
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe
from cclearn.training.recipe_section import RecipeSection

Arm = Literal["original", "notes", "spans", "both"]


class BaselineArm(RecipeSection):
    """A baseline of the experiment.

    Attributes:
        recipe: Path or name of its recipe. Its sources of rows are replaced.
        overrides: Changes of its settings: `key.sub=value`.
    """

    recipe: str
    overrides: tuple[str, ...] = ()


class Experiment(RecipeSection):
    """The experiment.

    Attributes:
        output: Folder of all files of the experiment.
        train: Coded notes to train on.
        test: Coded notes to score. Rows that occur in them are not trained on. With `labels: corpus`, it
            is known which codes they have, as in arXiv 2511.14112, and nothing else.
        code_system: Name of the code system, or path of a user's table.
        release: Path of its official files.
        labels: Codes that are scored: those of the training notes (`train`), those of the training and
            the test notes (`corpus`), or a file with a code in each line.
        development: Share of the training notes by which thresholds and the best weights are chosen.
        vocabulary: Number of tokens of encoders with random weights.
        baselines: The baselines by name.
        arms: `original` trains on the training notes. `notes` adds synthetic notes of rare codes,
            `spans` adds span pairs, and `both` adds both. All arms take the same number of steps.
        notes: Settings of the builder `rare_code_notes`.
        pairs: Files of span pairs. Pairs of codes that are not scored are left out.
        notes_share: Share of the tokens that synthetic notes have in the arm `notes`, half of it in the
            arm `both`.
        spans_share: Share of the tokens that spans have in the arm `spans`, half of it in the arm
            `both`.
        seeds: Seeds of the trainings.
        draws: Number of bootstrap draws.
    """

    output: Path
    train: Path
    test: Path
    code_system: str = "icd10cm"
    release: Path | None = None
    labels: Literal["train", "corpus"] | Path = "corpus"
    development: float = Field(default=0.1, gt=0, lt=1)
    vocabulary: int = Field(default=4_000, ge=400)
    baselines: dict[str, BaselineArm] = Field(min_length=1)
    arms: tuple[Arm, ...] = ("original", "notes", "spans")
    notes: dict[str, Any] = Field(default_factory=dict)
    pairs: tuple[Path, ...] = ()
    notes_share: float = Field(default=0.5, gt=0, lt=1)
    spans_share: float = Field(default=0.5, gt=0, lt=1)
    seeds: tuple[int, ...] = (0,)
    draws: int = Field(default=1_000, ge=0)


def load_experiment(path: Path) -> Experiment:
    """Read the settings of an experiment.

    Raises:
        DataError: The file is missing, or is not a mapping.
        ConfigurationError: Settings are invalid, or files are missing. All problems are listed.
    """
    fields, node = parse_yaml(read_text(path), path)
    if not isinstance(fields, dict):
        raise DataError(path, "not a mapping of keys to values")
    try:
        experiment = Experiment.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(describe_problems(path, error, node, Experiment)) from None
    labels = [experiment.labels] if isinstance(experiment.labels, Path) else []
    problems = [
        f"experiment (file = {file}): no such file. Build it, or name another."
        for file in (experiment.train, experiment.test, *experiment.pairs, *labels)
        if not file.is_file()
    ]
    for name, baseline in experiment.baselines.items():
        problems += _problems_of(name, load_recipe(baseline.recipe, baseline.overrides))
    needs_pairs = {"spans", "both"} & set(experiment.arms)
    if needs_pairs and not experiment.pairs:
        problems.append(f"pairs ({path}): the arm {min(needs_pairs)} needs span pairs. Name files.")
    if problems:
        raise ConfigurationError(problems)
    return experiment


def _problems_of(name: str, recipe: Recipe) -> list[str]:
    """Return why the arms of a recipe could not be compared."""
    where, problems = f"baselines.{name}", []
    if recipe.baseline is None:
        problems.append(f"{where}: {recipe.name} is no recipe for a baseline.")
    if recipe.training.steps is None:
        problems.append(f"{where}: training.steps must be given, so that all arms have as many.")
    if recipe.development is None or not recipe.development.notes:
        problems.append(f"{where}: development.notes must be given, to tune the threshold.")
    elif recipe.development.patience is not None:
        problems.append(f"{where}: development.patience would end arms early. Set it to null.")
    if recipe.rows.order != "mixed":
        problems.append(
            f"{where}: rows.order ({recipe.rows.order}) would leave out rows of an arm. Use mixed."
        )
    if recipe.rows.mixing is not None:
        problems.append(f"{where}: rows.mixing is given by the shares of the arms. Set it to null.")
    return problems
