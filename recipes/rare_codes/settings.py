"""Settings of the rare-code experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from cclearn.errors import ConfigurationError, DataError
from cclearn.runtime.files import read_text
from cclearn.runtime.yaml_files import parse_yaml
from cclearn.runtime.yaml_models import describe_problems
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
        test: Coded notes to score. They are never trained on, and no choice is made by them.
        code_system: Name of the code system, or path of a user's table.
        release: Path of its official files.
        labels: Codes that are scored: those of the training notes (`train`), those of the training and
            the test notes (`corpus`), as in arXiv 2511.14112, or a file with a code in each line.
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
    problems = [
        f"experiment (file = {file}): no such file. Build it, or name another."
        for file in (experiment.train, experiment.test, *experiment.pairs)
        if not file.is_file()
    ]
    needs_pairs = {"spans", "both"} & set(experiment.arms)
    if needs_pairs and not experiment.pairs:
        problems.append(f"pairs ({path}): the arm {min(needs_pairs)} needs span pairs. Name files.")
    if problems:
        raise ConfigurationError(problems)
    return experiment
