"""A command and the input of it that is mutated."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """A command and its input that is mutated.

    Attributes:
        name: Name in the table.
        kind: Format of the file, one of those that `mutate` knows.
        file: Path of the mutated file, relative to the seeds. If the kind is `setting`, the setting
            itself.
        command: The command line. `{}` is replaced by a mutated setting.
        needs: Files and folders that the command reads besides `file`.
        program: `cclearn` or `sft`.
        shows_notes: Whether the command's standard output may contain the note's text.
        weight: Relative frequency with which the target is drawn.
        model: Whether the target needs the seeds of models.
        holds_notes: Whether the mutated file contains notes. The settings of a model do not.
        group: `sealed` for a file of a checkpoint whose hash is corrected, and empty otherwise.
    """

    name: str
    kind: str
    file: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    program: str = "cclearn"
    shows_notes: bool = False
    weight: float = 1.0
    model: bool = False
    holds_notes: bool = True
    group: str = field(default="")


NO_DRAWS = ("--draws", "10")
