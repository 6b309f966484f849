"""What every coder can do, and how one is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote, Note

if TYPE_CHECKING:
    from cclearn.coding.lexicon import LexiconCoder
    from cclearn.coding.llm import LLMCoder


class Coder(ABC):
    """Reads notes and assigns codes, each with the words that justify it.

    Attributes:
        name: What reports call it.
        system: The code system it codes with.
    """

    name: str
    system: CodeSystem

    @staticmethod
    def lexicon(system: CodeSystem | None = None) -> LexiconCoder:
        """Return the coder that needs no model: phrase matching with assertion rules."""
        from cclearn.coding.lexicon import LexiconCoder

        return LexiconCoder(system or CodeSystem.load())

    @staticmethod
    def load(
        model: str | Path, system: CodeSystem | None = None, *, batch_size: int = 32
    ) -> LLMCoder:
        """Return a coder over a fine-tuned model.

        Args:
            model: A folder that `recipes/sft.py` wrote, or a model's name on the hub.
            system: The code system; every code it holds billable may be assigned.
            batch_size: How many notes are decoded together.

        Raises:
            ConfigurationError: The folder holds no model.
        """
        from cclearn.coding.llm import LLMCoder
        from cclearn.engines.local import LocalEngine

        engine = LocalEngine.load(model, batch_size=batch_size)
        return LLMCoder(engine, system or CodeSystem.load())

    def code(self, note: Note | str) -> CodedNote:
        """Code one note.

        Args:
            note: The note, or its text alone.
        """
        if isinstance(note, str):
            note = Note(id="note", text=note)
        return next(iter(self.code_many([note])))

    @abstractmethod
    def code_many(self, notes: Iterable[Note]) -> Iterator[CodedNote]:
        """Code notes as they come: in order, one result a note, in constant memory."""
