"""A killed command leaves nothing that its next run does not remove; see `tests.kills`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill_inputs import prepare
from tests.kills import COMMANDS, Command, Sandbox, kill

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

QUICK = ("cp", "code file", "evaluate again")


def problems(folder: Path, command: Command, kills: int) -> list[str]:
    sandbox = Sandbox(folder)
    prepare(sandbox.inputs, [command.name])
    return kill(command, sandbox, kills).problems


@pytest.mark.parametrize("name", QUICK)
def test_what_a_kill_leaves_is_removed(tmp_path: Path, name: str) -> None:
    (command,) = (each for each in COMMANDS if each.name == name)
    assert problems(tmp_path, command, kills=3) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_ten_kills_of_every_command_leave_nothing(tmp_path: Path, command: Command) -> None:
    assert problems(tmp_path, command, kills=10) == []
