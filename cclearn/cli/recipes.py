"""The commands for recipes, and for the adapters that they train."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli.options import JSONOption, OverwriteOption, print_json
from cclearn.cli.program import App
from cclearn.errors import visible
from cclearn.runtime.files import atomic_file, read_text, refuse_existing

if TYPE_CHECKING:
    from cclearn.training.dry_run import DryRun
    from cclearn.training.recipe import Recipe

_SHORT = 60
"""Number of seconds of a run whose time depends on everything but the speed of the card."""

recipes_app = App("List, show, copy and check recipes.")

NameArgument = Annotated[str, typer.Argument(help="YAML file, or a name that `recipes ls` lists.")]


def list_recipes(as_json: JSONOption = False) -> None:
    """List the recipes of the package."""
    from cclearn.cli.tables import print_view, recipe_table
    from cclearn.training.recipe import RecipeMetadata
    from cclearn.training.recipe_file import load_recipe, packaged_recipes

    recipes = {name: load_recipe(path) for name, path in packaged_recipes().items()}
    if as_json:
        fields = set(RecipeMetadata.model_fields)
        print_json([{"name": n, **r.model_dump(include=fields)} for n, r in recipes.items()])
        return
    print_view(
        recipe_table(
            {
                name: (recipe.description or "", recipe.hardware or "")
                for name, recipe in recipes.items()
            }
        )
    )


def show(name: NameArgument) -> None:
    """Print a recipe."""
    from cclearn.training.recipe_file import find_recipe

    text = read_text(find_recipe(name))
    if sys.stdout.isatty():  # A file or a pipe receives the exact text.
        text = "".join(f"{visible(line)}\n" for line in text.expandtabs().splitlines())
    typer.echo(text, nl=False)


def copy(
    name: NameArgument,
    to: Annotated[Path, typer.Argument(help="File to write.")],
    overwrite: OverwriteOption = False,
) -> None:
    """Copy a recipe, to adapt it. The commands in the copy name the copy."""
    from cclearn.training.recipe_file import adapted_text, find_recipe

    source = find_recipe(name)
    target = to / source.name if to.is_dir() else to
    refuse_existing(target, overwrite)
    content = adapted_text(source, target).encode()
    with atomic_file(target, overwrite) as stream:
        stream.write(content)
    shown = visible(str(target))
    command = visible(f"cclearn recipes validate {quote(str(target))} --dry-run")
    typer.echo(f"{shown}. Next: {command}")


def validate(
    name: NameArgument,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes of values, as for training: key.sub=value.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the rows, and estimate steps, memory and work.")
    ] = False,
    processes: Annotated[int, typer.Option(min=1, help="Number of processes of the run.")] = 1,
) -> None:
    """Check a recipe, and list all of its problems."""
    from cclearn.training.recipe_file import launch_line, load_recipe
    from cclearn.workflows.train import refuse_missing_rows

    recipe = load_recipe(name, overrides or ())
    refuse_missing_rows(recipe)
    if dry_run:
        from cclearn.runtime.progress import quiet_libraries

        quiet_libraries()
        from cclearn.training.dry_run import dry_run as run_dry

        _print_dry_run(recipe, run_dry(recipe, processes), processes)
    changes = "".join(f" {quote(override)}" for override in overrides or ())
    command = visible(launch_line(recipe, quote(name)) + changes)
    typer.echo(f"{visible(name)}: no problem found. To train it: {command}")


def merge_command(
    adapter: Annotated[Path, typer.Argument(help="Folder of the adapter.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    overwrite: OverwriteOption = False,
) -> None:
    """Merge an adapter into its base model in bf16, and check that the answers stay the same."""
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
    from cclearn.rows.mixture import MOST_REPEATS
    from cclearn.runtime.display import print_message
    from cclearn.training.estimate import CARD_EFFICIENCY, card_seconds

    print_view(dry_run_view(run))
    for part in run.epoch_rows:
        if (times := run.times_seen(part)) > MOST_REPEATS:
            print_message(
                f"rows.sources (path = {part.source}): each row is seen {times:.1f} times. Above"
                f" {MOST_REPEATS:g}, repetitions often teach little. Compare with fewer (repeats,"
                " epochs, steps) on development rows."
            )

    def print_line(name: str, value: str) -> None:
        typer.echo(f"{name:<12} {visible(value)}")

    answers = ""
    if recipe.grpo is not None:
        answers = f" {run.long_answers:,} answers longer than {recipe.grpo.answer_length},"
    print_line(
        "Left out",
        f"{run.dropped:,} rows too long for {recipe.training.max_length} tokens,{answers}"
        f" {run.contaminated:,} that an evaluation contains, {run.omitted:,} parts that fit into no"
        f" window; {run.windowed:,} notes split into windows",
    )
    if recipe.baseline is not None:
        print_line(
            "Labels",
            f"{run.cut:,} notes read up to {recipe.training.max_length} tokens, {run.unlabelled:,} rows"
            " left out because the model scores none of their codes",
        )
    if run.invalid or run.replaced:
        print_line(
            "Codes",
            f"{run.invalid:,} left out that are not billable, {run.replaced:,} headers replaced by"
            " their unspecified child",
        )
    if run.uncited:
        kept = {
            "drop_code": "left out",
            "drop_note": "left out with their notes",
        }.get(recipe.rows.uncited, "kept")
        print_line(
            "No evidence",
            f"{run.uncited:,} codes of {run.uncited_notes:,} notes, {kept}",
        )
    print_line(
        "Steps",
        f"{run.steps:,} of {run.batch:,} {run.batch_unit}"
        f" ({processes} process{'es'[: 2 * (processes > 1)]}), {run.epochs:.2f} epochs,"
        f" {run.tokens:,} tokens",
    )
    shape = run.shape
    print_line(
        "Model",
        f"{shape.parameters:,} parameters, {shape.trained:,} trained"
        f" ({shape.trained / shape.parameters:.2%})",
    )
    for memory in run.memory:
        parts = [("weights", memory.weights), ("training state", memory.trained)]
        parts += [("activations", memory.activations)] if memory.activations is not None else []
        parts += [("process", memory.process)] if memory.device == "CPU" else []
        shown = ", ".join(f"{name} {size:.2f}" for name, size in parts)
        unknown = (
            ", without the activations, which are unknown" if memory.activations is None else ""
        )
        print_line(
            "Memory",
            f"about {memory.total:.2f} GiB on a {memory.device} in {memory.precision}{unknown}: {shown}",
        )
    print_line("Work", f"{run.operations:.3g} floating-point operations")
    on_cards = card_seconds(run.operations)
    if max(seconds for _, seconds in on_cards) > _SHORT:
        shown = ", ".join(f"{_in_units(seconds)} on {card}" for card, seconds in on_cards)
        print_line("Time", f"{shown} ({CARD_EFFICIENCY:.0%} of their peak in bf16, assumed)")
    if run.document_tokens and run.document_operations:
        print_line(
            "Against",
            f"as many document rows: {run.document_tokens:,} tokens; this run reads"
            f" {run.tokens / run.document_tokens:.0%} of them and does"
            f" {run.operations / run.document_operations:.0%} of the work",
        )


def _in_units(seconds: float) -> str:
    """Return a time in minutes or hours."""
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"


recipes_app.add("ls", list_recipes, "cclearn recipes ls")
recipes_app.add(
    "show",
    show,
    "cclearn recipes show tiny/sft_scratch",
    "cclearn recipes show tiny/sft_scratch > mine.yaml",
)
recipes_app.add("cp", copy, "cclearn recipes cp qwen3-4b/sft_lora mine.yaml")
recipes_app.add(
    "validate",
    validate,
    "cclearn recipes validate mine.yaml --dry-run",
    "cclearn recipes validate tiny/sft_scratch training.steps=500",
)
