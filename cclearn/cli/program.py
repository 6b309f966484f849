"""The class of the program and of its groups of commands: what the help of every command has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """A command whose help shows no type for options that take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters."""
        return _without_flag_types(super().get_params(ctx))


class Group(TyperGroup):
    """A group whose help shows no type for options that take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters."""
        return _without_flag_types(super().get_params(ctx))


class _DefaultGroup(Group):
    """A group with a command that runs if no other is named: `cclearn review NOTES`."""

    default = "start"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of the command before arguments that name none."""
        if args and args[0] not in (*self.commands, *HELP_NAMES["help_option_names"]):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


class App(typer.Typer):
    """A group of commands.

    Args:
        help: Description of the group.
        has_default: Whether its command `start` runs if no command is named.
    """

    def __init__(self, help: str, has_default: bool = False) -> None:
        super().__init__(
            help=help,
            cls=_DefaultGroup if has_default else Group,
            no_args_is_help=True,
            context_settings=HELP_NAMES,
            # Typer's own tracebacks would print local variables, which may contain text of notes.
            pretty_exceptions_enable=False,
            add_completion=False,
        )

    def add(self, name: str, function: Callable[..., None], *examples: str) -> None:
        """Add a command.

        Args:
            name: Name of the command.
            function: Function of the command. Its docstring is the help.
            examples: Command lines that the help shows.
        """
        self.command(name, cls=Command, epilog=_epilog(examples))(function)


def _epilog(examples: Sequence[str]) -> str:
    # Brackets would be read as markup.
    lines = "\n".join(f"  {example}".replace("[", r"\[") for example in examples)
    return f"Examples:\n{lines}"


def _without_flag_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
    return parameters
