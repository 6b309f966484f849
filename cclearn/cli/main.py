"""The command line. Commands are thin, and import what they need when they run."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

import cclearn
from cclearn.cli.audit import add_audit_command
from cclearn.cli.audit_codes import audit_codes_command
from cclearn.cli.build import build_command
from cclearn.cli.cache import cache_app
from cclearn.cli.calibrate import calibrate_command
from cclearn.cli.code import code_command, export_command
from cclearn.cli.codes import codes_app
from cclearn.cli.models import models_app
from cclearn.cli.program import App
from cclearn.cli.quickstart import quickstart_command
from cclearn.cli.recipes import merge_command, recipes_app
from cclearn.cli.review import review_app
from cclearn.cli.score import add_score_commands
from cclearn.cli.serve import serve_command
from cclearn.cli.train import train_command
from cclearn.errors import CclearnError, CclearnWarning, unexpected_errors, visible
from cclearn.runtime.debugging import report_error, start_debugging
from cclearn.runtime.stopping import cleaning_up_when_stopped

app = App("Assign ICD codes to clinical notes, with the words that justify each.")


def main() -> None:
    """Run the command line.

    An error that the user can correct is one line on standard error, with exit code 2. Any other
    exception is one line too, with exit code 70 (`EX_SOFTWARE` of sysexits.h), because its message and
    its traceback might quote a note. `--debug` adds the causes of an error.
    """
    try:
        warnings.formatwarning = _format_warning
        with cleaning_up_when_stopped(), unexpected_errors():
            app()
    except CclearnError as error:
        report_error(error)
        sys.exit(error.exit_code)


_format_with_location = warnings.formatwarning


def _format_warning(
    message: Warning | str, category: type[Warning], *location: Any, **line: Any
) -> str:
    if issubclass(category, CclearnWarning):
        return f"{visible(str(message))}\n"
    text = _format_with_location(message, category, *location, **line)
    return "".join(f"{visible(part)}\n" for part in text.splitlines())


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"cclearn {cclearn.__version__}")
        raise typer.Exit


@app.callback()
def _read_program_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Log each step and show the cause of an error, without text of notes."
            " CCLEARN_DEBUG=1 has the same effect.",
        ),
    ] = False,
) -> None:
    """Read the options that precede the command."""
    start_debugging(debug)


app.add(
    "quickstart",
    quickstart_command,
    "cclearn quickstart",
    "cclearn quickstart --chapter 4 --out endocrine",
)
app.add(
    "build",
    build_command,
    "cclearn build --list",
    "cclearn build icd10cm variants=8 --out data/pairs",
    "cclearn build template_notes pairs=data/pairs/pairs.jsonl notes=1000 --out data/notes",
)
app.add(
    "train",
    train_command,
    "cclearn train tiny/sft_scratch",
    "cclearn train mine.yaml training.epochs=3 seed=1 output=runs/two",
    "cclearn train mine.yaml --resume auto",
)
app.add(
    "code",
    code_command,
    "cclearn code note.txt",
    "cclearn code notes.csv --text-column note --id-column note_id --out coded.jsonl",
    "cclearn code corpus.jsonl --model runs/mine --out coded/",
    'echo "Acute systolic heart failure." | cclearn code -',
)
app.add(
    "export",
    export_command,
    "cclearn export coded/ --out coded.jsonl",
    "cclearn export coded.jsonl --out review.html",
)
app.add(
    "calibrate",
    calibrate_command,
    "cclearn calibrate --model runs/mine --data dev.jsonl",
    "cclearn calibrate --model lexicon --data dev.jsonl --precision 0.95 --out lexicon.json",
)
app.add(
    "serve",
    serve_command,
    "cclearn serve",
    "cclearn serve --model runs/mine --port 8080 --limit time_limit=30",
)
app.add_typer(review_app, name="review")
add_score_commands(app)
add_audit_command(app)
app.add(
    "audit-codes",
    audit_codes_command,
    "cclearn audit-codes --notes notes.jsonl --codes codes.csv --out audited.jsonl",
    "cclearn audit-codes --notes notes.csv --text-column note --codes codes.csv --out audited.html",
)
app.add("merge", merge_command, "cclearn merge runs/adapter --out runs/merged")
app.add_typer(codes_app, name="codes")
app.add_typer(models_app, name="models")
app.add_typer(recipes_app, name="recipes")
app.add_typer(cache_app, name="cache")


if __name__ == "__main__":
    main()
