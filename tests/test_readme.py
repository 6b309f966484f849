from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from cclearn.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_path_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    named = re.findall(r"`((?:cclearn|recipes|benchmarks|docs|data_builders)/[\w./-]+)`", README)
    launched = re.findall(r"(?:python|launch|--config) ((?:benchmarks|recipes)/[\w./-]+)", README)
    assert links
    assert launched
    for path in [*links, *named, *launched]:
        assert (ROOT / path).exists(), path


def test_every_make_target_exists() -> None:
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["quickstart", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    sorted(
        set(
            re.findall(
                r"(?:`|\$ |^)cclearn ((?:code|build|evaluate|codes|quick)[^`\n]*)", README, re.M
            )
        )
    ),
)
def test_every_command_is_understood(line: str) -> None:
    command = get_command(app)
    arguments = shlex.split(line)
    context = command.make_context("cclearn", arguments, resilient_parsing=True)
    while arguments and hasattr(command, "resolve_command"):
        _, command, arguments = command.resolve_command(context, arguments)
        context = command.make_context(command.name, list(arguments), resilient_parsing=False)
        arguments = [*context.protected_args, *context.args] if hasattr(command, "commands") else []


def test_no_placeholder_is_left() -> None:
    assert "@" not in README
