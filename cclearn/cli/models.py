"""The commands for published models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cclearn.cli.options import JSONOption, OverwriteOption, print_json
from cclearn.cli.program import App
from cclearn.errors import ConfigurationError, visible

models_app = App("List published models, and make them usable without a hub.")


def list_models(as_json: JSONOption = False) -> None:
    """List the models that can be installed from a package registry."""
    from cclearn.cli.tables import packaged_models_table, print_view
    from cclearn.packaged_models import MODELS

    if not as_json:
        print_view(packaged_models_table(MODELS))
        return
    print_json(
        [
            {
                "name": model.name,
                "description": model.description,
                "licence": model.licence.name,
                "extra": model.extra,
                "installed": model.is_installed,
            }
            for model in MODELS
        ]
    )


def assemble_command(
    name: Annotated[
        str, typer.Argument(help="Name that `models ls` lists, or path of a GGUF file.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    accept_licence: Annotated[
        bool,
        typer.Option(
            "--accept-licence", help="Accept the licence of the model without being asked."
        ),
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a model as a folder of safetensors in bf16, with its tokenizer and its licence."""
    from cclearn.gguf_files import is_gguf
    from cclearn.packaged_models import assemble_model, find_model
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import quiet_libraries

    refuse_existing(out, overwrite)
    if not is_gguf(name):
        licence = find_model(name).licence
        typer.echo(f"{visible(name)} is licensed under the {licence.name}: {licence.url}")
        if not accept_licence:
            if not sys.stdin.isatty():
                raise ConfigurationError(
                    [
                        f"licence (model = {name}): the {licence.name} must be accepted, and there is no"
                        f" terminal to ask on. Read {licence.url}, and add --accept-licence."
                    ]
                )
            typer.confirm("Do you accept these terms?", abort=True)
    quiet_libraries()
    assemble_model(name, out, overwrite)
    shown = visible(str(out))
    typer.echo(f"The model is in {shown}. Next: train it by a recipe, with model.path={shown}")


models_app.add("ls", list_models, "cclearn models ls")
models_app.add(
    "assemble",
    assemble_command,
    "cclearn models assemble gemma-3-270m --out models/gemma-3-270m",
    "cclearn models assemble model.gguf --out models/mine",
)
