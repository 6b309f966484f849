from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from cclearn.cli.main import app


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield every command that can be run, with its path."""
    command = get_command(app) if command is None else command
    if not hasattr(command, "commands"):
        yield pytest.param(command, path, id=" ".join(path))
        return
    for name, part in command.commands.items():
        yield from commands(part, (*path, name))


@pytest.mark.parametrize(("command", "path"), list(commands()))
def test_every_command_has_help_with_examples_that_can_be_parsed(
    command: Any, path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        app([*path, "-h"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "Examples:" in shown
    assert "<bool>" not in shown
    heading, *examples = command.epilog.splitlines()
    assert heading == "Examples:"
    assert examples
    for example in examples:
        words = shlex.split(example.rpartition("|")[2].partition(">")[0])
        # The command `start` of a group runs if none is named.
        named = [name for name in path if name != "start"]
        start = len(named) + 1
        assert words[:start] == ["cclearn", *named]
        command.make_context(" ".join(path), words[start:])
