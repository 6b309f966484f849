"""A killed command leaves nothing that its next run does not remove; see `tests.kills`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill_inputs import prepare
from tests.kills import COMMANDS, Command, Sandbox, kill

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

QUICK = ("cp",)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A sandbox with the inputs of the quick commands and a cache that is filled once."""
    sandbox = Sandbox(tmp_path_factory.mktemp("kills"))
    prepare(sandbox.inputs, QUICK)
    return sandbox


@pytest.mark.parametrize("name", QUICK)
def test_what_a_kill_leaves_is_removed(sandbox: Sandbox, name: str) -> None:
    (command,) = (command for command in COMMANDS if command.name == name)
    assert kill(command, sandbox, kills=2).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_ten_kills_of_every_command_leave_nothing(tmp_path: Path, command: Command) -> None:
    sandbox = Sandbox(tmp_path)
    prepare(sandbox.inputs, [command.name])
    assert kill(command, sandbox, kills=10).problems == []
