"""The command that builds span pairs and coded notes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cclearn.cli.options import (
    EarlierOption,
    OverwriteOption,
    RayOption,
    ReleaseOption,
    SystemOption,
    load_system,
    print_settings,
)
from cclearn.cli.settings import read_settings
from cclearn.errors import ConfigurationError
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.display import print_message

if TYPE_CHECKING:
    from cclearn.codes import CodeSystem

BatchStep = Literal["write", "submit", "status", "collect"]

_MANY_UNKNOWN = 0.2
"""Share of the codes of a corpus, above which unknown codes are probably those of another version."""


def build_command(
    name: Annotated[str | None, typer.Argument(help="Name of the builder.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="Settings of the builder: key=value, with values as in YAML."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="List the builders and their settings.")
    ] = False,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
    ray: RayOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show what would be built, count the requests to a model, and ask none.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Check facts, policies and templates, and build nothing."),
    ] = False,
    batch: Annotated[
        BatchStep | None,
        typer.Option(
            help="Ask a server in batches: write the files of requests, submit them, show their status,"
            " or collect the answers."
        ),
    ] = None,
) -> None:
    """Build span pairs or coded notes."""
    from cclearn.runtime.progress import track
    from cclearn.runtime.ray_cluster import ray_cluster
    from data_builders.builder import configure, find_builder
    from data_builders.output import build
    from data_builders.parallel import in_process, on_ray

    if listing:
        _list_builders()
        return
    if check and name is not None:
        _check(name, settings or [], load_system(system, release, earlier))
        return
    needed = {"the name of a builder": name, "--out": out}
    if name is None or out is None:
        missing = " and ".join(what for what, value in needed.items() if value is None)
        raise ConfigurationError([f"build: {missing} needed. See `cclearn build --list`."])
    builder = find_builder(name)
    config = configure(builder, read_settings(settings or []))
    loaded = load_system(system, release, earlier)
    if dry_run or batch is not None:
        from cclearn.cli.build_requests import plan_requests, run_batch

        if batch is None:
            planned = builder.plan(config, loaded)
            for line in planned:
                print_message(line)
            if not planned or getattr(config, "model", None) is not None:
                plan_requests(builder, config, loaded)
        else:
            run_batch(batch, builder, config, loaded, out)
        return
    if ray is not None and not builder.has_parallel_step(config):
        print_message(
            f"{name}: no step of these settings can use a cluster. The rows are built in this process."
        )
        ray = None
    with (
        logged_step(f"run builder {name}", __name__),
        ray_cluster(ray) if ray else nullcontext() as cluster,
    ):
        parallel_map = on_ray(cluster) if ray else in_process
        result = build(builder, config, out, loaded, overwrite, track, parallel_map)
    rows, rejected = result.stats.get("rows", 0), result.stats["rejected"]
    written = result.data if len(builder.data_files(config)) == 1 else result.folder
    print_message(f"{rows} rows: {written}")
    if rejected:
        print_message(f"{sum(rejected.values())} rejected, in {result.folder / 'rejected.jsonl'}:")
        for reason, count in sorted(rejected.items(), key=lambda item: (-item[1], item[0])):
            print_message(f"{count:>9}  {reason}")
    if not rows:
        print_message("No row was built: nothing in the source matches the settings.")
    unknown = result.stats.get("codes that are unknown", 0)
    if unknown > _MANY_UNKNOWN * result.stats.get("codes of notes", 0):
        print_message(
            f"{unknown} of {result.stats['codes of notes']} codes are not in {loaded.name}"
            f" {loaded.release}. Choose their classification with --system and --release, or the rows"
            " of one version with where='{COLUMN: VALUE}'."
        )


def _check(name: str, settings: list[str], system: CodeSystem) -> None:
    """Check the content of a builder. Raises ConfigurationError, which lists all problems."""
    from data_builders.builder import configure, find_builder

    builder = find_builder(name)
    problems = builder.check(configure(builder, read_settings(settings)), system)
    if problems is None:
        raise ConfigurationError([f"{name} (--check): the builder has no content. Leave it out."])
    if problems:
        raise ConfigurationError(problems)
    print_message(f"{name}: no problem was found.")


def _list_builders() -> None:
    from data_builders.builder import all_builders

    for name, builder in all_builders().items():
        typer.echo(f"{name}: {builder.summary}")
        print_settings(builder.config_type)
