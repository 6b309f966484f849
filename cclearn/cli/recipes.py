"""The commands about recipes and the adapters that they write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli.options import OverwriteOption
from cclearn.errors import ConfigurationError, visible
from cclearn.runtime.files import atomic_file, read_bytes, read_text, refuse_existing

if TYPE_CHECKING:
    from cclearn.training.dry_run import DryRun
    from cclearn.training.recipe import Recipe

recipes_app = typer.Typer(help="Look at recipes, copy them, check them.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="A YAML file, or a name that `ls` shows.")]


@recipes_app.command("ls")
def list_recipes() -> None:
    """List the recipes of the package."""
    from cclearn.cli.tables import print_view, recipe_table
    from cclearn.training.recipe_file import load_recipe, packaged_recipes

    recipes = {name: load_recipe(path) for name, path in packaged_recipes().items()}
    print_view(
        recipe_table(
            {
                name: (recipe.description or "", recipe.hardware or "")
                for name, recipe in recipes.items()
            }
        )
    )


@recipes_app.command()
def show(name: NameArgument) -> None:
    """Print a recipe."""
    from cclearn.training.recipe_file import find_recipe

    text = read_text(find_recipe(name))
    if sys.stdout.isatty():  # Into a file or a pipe it goes exactly as it is.
        text = "".join(f"{visible(line)}\n" for line in text.expandtabs().splitlines())
    typer.echo(text, nl=False)


@recipes_app.command("cp")
def copy(
    name: NameArgument,
    to: Annotated[Path, typer.Argument(help="The file to write.")],
    overwrite: OverwriteOption = False,
) -> None:
    """Copy a recipe, to make it one's own."""
    from cclearn.training.recipe_file import find_recipe

    source = find_recipe(name)
    target = to / source.name if to.is_dir() else to
    refuse_existing(target, overwrite)
    with atomic_file(target, overwrite) as stream:
        stream.write(read_bytes(source))
    shown = visible(str(target))
    typer.echo(f"{shown}. Next: cclearn recipes validate {shown} --dry-run")


@recipes_app.command()
def validate(
    name: NameArgument,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key.sub=value, as for the launch.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the rows and say what a run would take.")
    ] = False,
    processes: Annotated[int, typer.Option(min=1, help="How many processes would run it.")] = 1,
) -> None:
    """Check a recipe; all that is wrong with it is told at once."""
    from cclearn.training.recipe_file import load_recipe

    recipe = load_recipe(name, overrides or ())
    missing = [path for path in recipe.rows.files if not path.is_file()]
    if missing:
        raise ConfigurationError(
            [
                f"rows (path = {path}): no such file. Build it (cclearn build --list), or name"
                " another with rows.sources.N.path=…"
                for path in missing
            ]
        )
    if dry_run:
        from cclearn.runtime.progress import quiet_libraries

        quiet_libraries()
        from cclearn.training.dry_run import dry_run as try_out

        _print_dry_run(recipe, try_out(recipe, processes), processes)
    typer.echo(f"{visible(name)}: no problem found.")


def merge_command(
    adapter: Annotated[Path, typer.Argument(help="A folder with an adapter.")],
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    overwrite: OverwriteOption = False,
) -> None:
    """Merge an adapter into its base model in bf16, and check that it answers as before."""
    from cclearn.runtime.progress import quiet_libraries

    quiet_libraries()
    from cclearn.training.merge import merge_adapter

    moved, merged = merge_adapter(adapter, out, overwrite)
    typer.echo(
        f"The merged model is in {visible(str(out))}. The adapter moves the log-probabilities of the"
        f" next token by {moved:.2g} on average; merging it moved them by {merged:.2g}."
    )


def _print_dry_run(recipe: Recipe, run: DryRun, processes: int) -> None:
    from cclearn.cli.tables import dry_run_view, print_view

    print_view(dry_run_view(run))

    def say(name: str, value: str) -> None:
        typer.echo(f"{name:<12} {visible(value)}")

    say(
        "Left out",
        f"{run.dropped:,} rows too long for {recipe.training.max_length} tokens, {run.contaminated:,}"
        f" that an evaluation holds; {run.windowed:,} notes split into windows",
    )
    unit = "packs" if recipe.training.batching == "packed" else "rows"
    say(
        "Steps",
        f"{run.steps:,} of {run.batch} {unit} ({processes} process{'es'[: 2 * (processes > 1)]}),"
        f" {run.epochs:.2f} epochs, {run.tokens:,} tokens",
    )
    shape = run.shape
    say(
        "Model",
        f"{shape.parameters:,} parameters, {shape.trained:,} trained"
        f" ({shape.trained / shape.parameters:.2%})",
    )
    for memory, name in zip(run.memory, ("bf16", "fp32"), strict=True):
        if recipe.training.precision in ("auto", name):
            say(
                "Memory",
                f"about {memory.total:.2f} GiB a device in {name}: weights {memory.weights:.2f},"
                f" training state {memory.trained:.2f}, activations {memory.activations:.2f};"
                " sharding divides the first two",
            )
    say("Work", f"{run.operations:.3g} floating-point operations")
    if run.document_tokens and run.document_operations:
        say(
            "Against",
            f"as many rows of documents alone: {run.document_tokens:,} tokens; this run reads"
            f" {run.tokens / run.document_tokens:.0%} of them and does"
            f" {run.operations / run.document_operations:.0%} of the work",
        )
