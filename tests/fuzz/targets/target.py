"""A command and the input of it that is mutated."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """A command and the input of it that is mutated.

    Attributes:
        name: As the table shows it.
        kind: The format, for `mutate`.
        file: The file that is mutated, relative to the seeds; of kind `setting`, the setting itself.
        command: The command line; `{}` stands for a mutated setting.
        needs: The files and folders that the command reads, besides `file`.
        program: `cclearn` or `sft`.
        shows_notes: Whether the command's standard output may hold the note's text.
        weight: How often it is drawn, compared with the others.
        model: Whether it needs the seeds of models.
        holds_notes: Whether the mutated file is one that holds notes; a model's settings do not.
        group: `sealed` for a checkpoint's file whose hash is corrected.
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
