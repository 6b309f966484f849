"""The command line. Commands are thin and import what they need when they run."""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

import cclearn
from cclearn.cli.cache import cache_app
from cclearn.cli.calibrate import calibrate
from cclearn.cli.code import code, export
from cclearn.cli.options import (
    EarlierOption,
    OverwriteOption,
    RayOption,
    ReleaseOption,
    SystemOption,
    list_settings,
    load_system,
    read_settings,
)
from cclearn.cli.recipes import add_recipe_commands
from cclearn.cli.score import add_commands
from cclearn.cli.serve import serve
from cclearn.errors import (
    CclearnError,
    CclearnWarning,
    ConfigurationError,
    unexpected_errors,
    visible,
)
from cclearn.runtime.shown import tell
from cclearn.runtime.stopping import cleaning_up_when_stopped

# Typer's own tracebacks would print local variables, and with them notes.
app = typer.Typer(
    help="Assign ICD codes to clinical notes, with the words that justify each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
codes_app = typer.Typer(help="Look into the code system.", no_args_is_help=True)
app.add_typer(codes_app, name="codes")


def main() -> None:
    """Run the command line.

    An error that the user can mend is one line on standard error with exit code 2. Any other exception
    is one line as well, with exit code 70 (`EX_SOFTWARE` of sysexits.h): its traceback and its message
    might quote a note.
    """
    try:
        warnings.formatwarning = _as_one_line
        with cleaning_up_when_stopped(), unexpected_errors():
            app()
    except CclearnError as error:
        for line in error.lines:
            tell(line)
        sys.exit(error.exit_code)


_with_its_place = warnings.formatwarning


def _as_one_line(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> str:
    if issubclass(category, CclearnWarning):
        return f"{visible(str(message))}\n"
    shown = _with_its_place(message, category, *place, **line)
    return "".join(f"{visible(each)}\n" for each in shown.splitlines())


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cclearn {cclearn.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Hold the options of the program itself."""


@app.command()
def quickstart(
    chapter: Annotated[
        str, typer.Option(help="A chapter of ICD-10-CM (1-22), or any block or header.")
    ] = "9",
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("quickstart"),
    seed: Annotated[int, typer.Option(help="Decides codes, splits, notes and weights.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Go the whole way on a small piece of ICD-10-CM: build, train, code, evaluate, report."""
    from cclearn.cli.tables import print_view, score_table
    from cclearn.runtime.audit import audited
    from cclearn.runtime.progress import quiet_libraries
    from cclearn.workflows.quickstart import run_quickstart

    quiet_libraries()

    def say(line: str) -> None:
        typer.echo(visible(line))

    with audited("quickstart") as audit:
        audit.begin()
        scores = run_quickstart(out, chapter, seed, steps, overwrite, say)
    print_view(score_table(scores))
    say(f"Report       {out / 'report.html'}")
    say(f"Model        {out / 'model'}")
    say(f"Predictions  {out / 'predictions'}")
    say("Next, code a note with the lexicon, or with the model just trained:")
    say(f"  cclearn code {quote(str(out / 'note.txt'))}")
    say(f"  cclearn code {quote(str(out / 'note.txt'))} --model {quote(str(out / 'model'))}")
    say("or train again with another seed:")
    say(
        "  accelerate launch -m recipes.sft --config tiny/sft_scratch seed=1"
        f" {quote('rows.sources.0.path=' + str(out / 'pairs' / 'pairs.jsonl'))}"
        f" {quote('rows.sources.1.path=' + str(out / 'train' / 'notes.jsonl'))}"
    )


@app.command()
def build(
    name: Annotated[str | None, typer.Argument(help="The builder.")] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(help="Its settings: key=value, values as in YAML.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the builders.")] = False,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
    ray: RayOption = None,
) -> None:
    """Build span pairs or coded notes."""
    from cclearn.runtime.progress import track
    from cclearn.runtime.ray_cluster import ray_cluster
    from data_builders.builder import all_builders, configure, find_builder
    from data_builders.builder import build as run_builder
    from data_builders.parallel import in_process, on_ray

    if listing:
        for known, builder in all_builders().items():
            typer.echo(f"{known}: {builder.summary}")
            list_settings(builder.config_type)
        return
    if name is None or out is None:
        raise ConfigurationError(
            ["build: a builder's name and --out are needed. See `cclearn build --list`."]
        )
    builder = find_builder(name)
    config = configure(builder, read_settings(settings or []))
    loaded = load_system(system, release, earlier)
    if ray is not None and not builder.has_parallel_step(config):
        tell(f"{name}: nothing to spread with these settings; built in this process.")
        ray = None
    with ray_cluster(ray) if ray else nullcontext() as cluster:
        parallel_map = on_ray(cluster) if ray else in_process
        result = run_builder(builder, config, out, loaded, overwrite, track, parallel_map)
    tell(f"{result.stats.get('rows', 0)} rows: {result.data}")
    if not result.stats.get("rows"):
        why = " rejected.jsonl beside it says why." if result.stats["rejected"] else ""
        tell(f"No row was made: nothing in the source fits the settings.{why}")


app.command()(code)
app.command()(export)
app.command()(calibrate)
app.command()(serve)
add_commands(app)
add_recipe_commands(app)
app.add_typer(cache_app, name="cache")


@codes_app.command("show")
def show_code(
    code: Annotated[str, typer.Argument(help="A code in any spelling, a block or a chapter.")],
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
) -> None:
    """Show a code: its status, title, synonyms and neighbours."""
    from cclearn.cli.tables import code_view, print_view

    print_view(code_view(load_system(system, release, earlier), code))


@codes_app.command("search")
def search_codes(
    text: Annotated[str, typer.Argument(help="Words to look for.")],
    limit: Annotated[int, typer.Option(min=1, help="How many codes at the most.")] = 10,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
) -> None:
    """Search titles and synonyms."""
    from cclearn.cli.tables import hits_table, print_view
    from cclearn.codes.search import search

    loaded = load_system(system, release, None)
    print_view(hits_table(search(loaded, text, limit), loaded))


if __name__ == "__main__":
    main()
