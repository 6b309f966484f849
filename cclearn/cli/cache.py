"""The commands about the cache of answers, which hold words of notes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cclearn.errors import ConfigurationError, visible

cache_app = typer.Typer(
    help="Look at the cache of models' answers, delete it.", no_args_is_help=True
)

FileArgument = Annotated[
    Path | None,
    typer.Argument(help="The file that --engine cache=FILE named; else that of servers' answers."),
]


@cache_app.command("show")
def show_cache(file: FileArgument = None) -> None:
    """Say where the cache of answers lies and how much it holds."""
    from cclearn.engines.answer_file import answer_files, count_answers, default_answer_file

    path = file or default_answer_file()
    if file is None and not answer_files(path):
        typer.echo(f"{visible(str(path))}: there is none.")
        return
    count = count_answers(path)
    size = sum(each.stat().st_size for each in answer_files(path))
    typer.echo(f"{visible(str(path))}: {count:,} answers, {size / 2**20:,.1f} MiB")


@cache_app.command("purge")
def purge_cache(
    file: FileArgument = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the cache of answers: it holds words of the notes that were coded."""
    from cclearn.engines.answer_file import (
        answer_files,
        count_answers,
        default_answer_file,
        purge_answers,
    )

    path = file or default_answer_file()
    if file is None and not answer_files(path):
        typer.echo(f"{visible(str(path))}: there is none.")
        return
    count = count_answers(path)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigurationError(
                [f"purge (file = {path}): nobody can be asked here. Pass --yes to delete it."]
            )
        typer.confirm(f"Delete {count:,} answers in {visible(str(path))}?", abort=True)
    for removed in purge_answers(path):
        typer.echo(f"removed {visible(str(removed))}")
