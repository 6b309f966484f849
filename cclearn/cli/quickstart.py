"""The command that trains and evaluates a first model."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from cclearn.cli.options import OverwriteOption
from cclearn.errors import visible


def quickstart_command(
    chapter: Annotated[
        str, typer.Option(help="Chapter of ICD-10-CM (1-22), or any block or header.")
    ] = "9",
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("quickstart"),
    seed: Annotated[
        int, typer.Option(help="Seed of the sample of codes, the notes and the training.")
    ] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Number of training steps.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Build data for a small part of ICD-10-CM, train a model on it, and evaluate the model."""
    from cclearn.cli.tables import print_view, score_table
    from cclearn.runtime.audit import audited
    from cclearn.runtime.progress import quiet_libraries
    from cclearn.workflows.quickstart import run_quickstart

    quiet_libraries()
    with audited("quickstart") as audit:
        audit.begin()
        scores = run_quickstart(out, chapter, seed, steps, overwrite, _print_line)
    print_view(score_table(scores))
    _print_line(f"Report       {out / 'report.html'}")
    _print_line(f"Model        {out / 'model'}")
    _print_line(f"Predictions  {out / 'predictions'}")
    _print_line("Next, code a note with the lexicon, or with the model just trained:")
    _print_line(f"  cclearn code {quote(str(out / 'note.txt'))}")
    _print_line(
        f"  cclearn code {quote(str(out / 'note.txt'))} --model {quote(str(out / 'model'))}"
    )
    _print_line("or train again with another seed:")
    _print_line(
        "  cclearn train tiny/sft_scratch seed=1"
        f" {quote('rows.sources.0.path=' + str(out / 'pairs' / 'pairs.jsonl'))}"
        f" {quote('rows.sources.1.path=' + str(out / 'train' / 'notes.jsonl'))}"
    )


def _print_line(line: str) -> None:
    typer.echo(visible(line))
