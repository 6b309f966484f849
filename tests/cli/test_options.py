"""Commands receive the options that they share from one module."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner

from cclearn.cli.code import code_command
from cclearn.cli.options import SystemOptions, coder_settings, with_options
from cclearn.cli.serve import serve_command


@pytest.mark.parametrize("command", [code_command, serve_command])
def test_code_and_serve_have_all_options_of_a_coder(command: Callable[..., None]) -> None:
    options = inspect.signature(command).parameters
    for name, option in inspect.signature(coder_settings).parameters.items():
        assert options[name].annotation == option.annotation
        assert options[name].default == option.default


def test_a_command_receives_its_own_values_and_those_of_the_provider() -> None:
    received: list[tuple[str, str]] = []

    @with_options(system=SystemOptions)
    def command(name: str, system: Callable[[], SystemOptions]) -> None:
        received.append((name, system().system))

    app = typer.Typer()
    app.command()(command)
    assert CliRunner().invoke(app, ["a"]).exit_code == 0
    assert CliRunner().invoke(app, ["b", "--system", "icd9cm"]).exit_code == 0
    assert CliRunner().invoke(app, ["c", "--mode", "x"]).exit_code == 2
    assert received == [("a", "icd10cm"), ("b", "icd9cm")]
