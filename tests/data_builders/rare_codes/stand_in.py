"""A renderer in the place of that of the templates, so that these tests do not depend on its content."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence, Origin

MODULE = "data_builders.templates.code_notes"


class CodeNoteRenderer:
    """Writes a line for each code. A string with the word `unmentionable` is left out."""

    def __init__(self, system: CodeSystem, noise: float) -> None:
        self._system = system

    def render(
        self,
        identifier: str,
        strings: Mapping[str, Sequence[str]],
        rng: random.Random,
        origin: Origin = "synthetic",
    ) -> CodedNote:
        """Return a note that mentions every code."""
        text, codes = f"Day {rng.randint(1, 1_000_000)}.\n", []
        for code, texts in strings.items():
            mention = rng.choice(list(texts))
            start = len(text) + 2
            text += f"- {mention}\n"
            evidence = Evidence(start=start, end=start + len(mention), text=mention)
            found = [] if "unmentionable" in mention else [evidence]
            codes.append(AssignedCode(code=code, system=self._system.name, evidence=found))
        return CodedNote(id=identifier, text=text, origin=origin, codes=codes)


def stand_in() -> ModuleType:
    """Return a module with the renderer."""
    module = ModuleType(MODULE)
    module.CodeNoteRenderer = CodeNoteRenderer  # type: ignore[attr-defined]
    return module


def install() -> None:
    """Let this process import the renderer instead of that of the templates."""
    sys.modules[MODULE] = stand_in()
