"""The command that trains a model on one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from cclearn.cli.options import OverwriteOption
from cclearn.errors import visible
from cclearn.runtime.display import print_message


def train_command(
    config: Annotated[
        str, typer.Argument(help="A YAML file, or the name of a recipe that `recipes ls` lists.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Changes of values: key.sub=value, e.g. training.steps=100."),
    ] = None,
    overwrite: OverwriteOption = False,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="auto|FOLDER",
            help="Resume from the last complete checkpoint, or from the given one.",
        ),
    ] = None,
    any_hardware: Annotated[
        bool,
        typer.Option("--any-hardware", help="Train a recipe that is meant for other hardware."),
    ] = False,
) -> None:
    """Train a model according to a recipe, in one process on the GPU or the CPU of this machine.

    `accelerate launch recipes/sft.py --config CONFIG` does the same, and also uses several GPUs.
    """
    from cclearn.training.recipe_file import load_recipe

    recipe = load_recipe(config, overrides or ())

    from cclearn.runtime.processes import visible_gpus
    from cclearn.workflows.train import (
        STOPPED,
        refuse_missing_rows,
        refuse_other_hardware,
        stage_of,
        train,
    )

    if not any_hardware:
        refuse_other_hardware(recipe, visible_gpus())
    refuse_missing_rows(recipe)
    try:
        folder, _ = train(stage_of(recipe), recipe, overwrite, resume, processes=1)
    except KeyboardInterrupt:
        print_message(STOPPED)
        raise
    shown = visible(str(folder))
    typer.echo(f"The model is in {shown}. Next: cclearn code note.txt --model {shown}")
