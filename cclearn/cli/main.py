"""The command line. Commands are thin, and import what they need when they run."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

import cclearn
from cclearn.cli.build import build_command
from cclearn.cli.cache import cache_app
from cclearn.cli.calibrate import calibrate_command
from cclearn.cli.code import code_command, export_command
from cclearn.cli.codes import codes_app
from cclearn.cli.models import models_app
from cclearn.cli.quickstart import quickstart_command
from cclearn.cli.recipes import merge_command, recipes_app
from cclearn.cli.score import add_score_commands
from cclearn.cli.serve import serve_command
from cclearn.cli.train import train_command
from cclearn.errors import CclearnError, CclearnWarning, unexpected_errors, visible
from cclearn.runtime.debugging import report_error, start_debugging
from cclearn.runtime.stopping import cleaning_up_when_stopped

# Typer's own tracebacks would print local variables, which may contain text of notes.
app = typer.Typer(
    help="Assign ICD codes to clinical notes, with the words that justify each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


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


app.command("quickstart")(quickstart_command)
app.command("build")(build_command)
app.command("train")(train_command)
app.command("code")(code_command)
app.command("export")(export_command)
app.command("calibrate")(calibrate_command)
app.command("serve")(serve_command)
add_score_commands(app)
app.command("merge")(merge_command)
app.add_typer(codes_app, name="codes")
app.add_typer(models_app, name="models")
app.add_typer(recipes_app, name="recipes")
app.add_typer(cache_app, name="cache")


if __name__ == "__main__":
    main()
