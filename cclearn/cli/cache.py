"""The commands for the cache of answers, which contains words of notes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cclearn.cli.program import App
from cclearn.errors import ConfigurationError, visible

cache_app = App("Show or delete the cache of models' answers.")

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        help="File named by --engine cache=FILE. Default: the cache of servers' answers."
    ),
]


def show_cache(file: FileArgument = None) -> None:
    """Show the path of the cache of answers, and its size."""
    from cclearn.engines.answer_file import answer_files, count_answers, default_answer_file

    path = file or default_answer_file()
    if file is None and not answer_files(path):
        typer.echo(f"{visible(str(path))}: there is none.")
        return
    count = count_answers(path)
    size = sum(part.stat().st_size for part in answer_files(path))
    typer.echo(f"{visible(str(path))}: {count:,} answers, {size / 2**20:,.1f} MiB")


def purge_cache(
    file: FileArgument = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the cache of answers, which contains words of the notes that were coded."""
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
                [f"purge (file = {path}): there is no terminal to ask on. Pass --yes to delete it."]
            )
        typer.confirm(f"Delete {count:,} answers in {visible(str(path))}?", abort=True)
    for removed in purge_answers(path):
        typer.echo(f"removed {visible(str(removed))}")


cache_app.add("show", show_cache, "cclearn cache show")
cache_app.add("purge", purge_cache, "cclearn cache purge --yes")
