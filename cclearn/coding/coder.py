"""What every coder can do, and how one is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote, Note

if TYPE_CHECKING:
    from cclearn.coding.lexicon import LexiconCoder
    from cclearn.coding.llm import LLMCoder
    from cclearn.prompts import Template

_ENGINES_TO_COME = ("openai", "vllm", "replay")
"""What stands before the colon in the names of models behind other engines."""


@dataclass(slots=True)
class Usage:
    """The tokens that a coder has read and written so far, and the seconds of one GPU that it took; none
    without a model."""

    prompt_tokens: int = 0
    answer_tokens: int = 0
    gpu_seconds: float = 0.0


class Coder(ABC):
    """Reads notes and assigns codes, each with the words that justify it.

    Attributes:
        name: What reports call it.
        system: The code system it codes with.
        usage: What it has read and written.
        prompt_sha256: Of its prompts; empty where it has none.
    """

    name: str
    system: CodeSystem
    usage: Usage
    prompt_sha256: str = ""

    @staticmethod
    def named(
        model: str,
        system: CodeSystem | None = None,
        *,
        examples: Sequence[CodedNote] = (),
        batch_size: int = 32,
    ) -> Coder:
        """Return a coder by the name that commands take.

        Args:
            model: `lexicon`, or what `load` takes.
            system: The code system.
            examples: Coded notes that a model is shown before each note; the lexicon needs none.
            batch_size: How many notes are decoded together.

        Raises:
            ConfigurationError: There is no such model.
        """
        if model == "lexicon":
            return Coder.lexicon(system)
        scheme, colon, _ = model.partition(":")
        if colon and scheme in _ENGINES_TO_COME and not Path(model).exists():
            raise ConfigurationError(
                [
                    f"model (model = {model}): engines of the kind {scheme} are not there yet."
                    " Use lexicon, a folder that a recipe wrote, or a model on the hub."
                ]
            )
        return Coder.load(model, system, examples=examples, batch_size=batch_size)

    @staticmethod
    def lexicon(system: CodeSystem | None = None) -> LexiconCoder:
        """Return the coder that needs no model: phrase matching with assertion rules."""
        from cclearn.coding.lexicon import LexiconCoder

        return LexiconCoder(system or CodeSystem.load())

    @staticmethod
    def load(
        model: str | Path,
        system: CodeSystem | None = None,
        *,
        examples: Sequence[CodedNote] = (),
        batch_size: int = 32,
    ) -> LLMCoder:
        """Return a coder over a fine-tuned model.

        Args:
            model: A folder that a recipe wrote, whose template is then used, or a name on the hub.
            system: The code system; every code it holds billable may be assigned.
            examples: Coded notes that the model is shown before each note (few-shot).
            batch_size: How many notes are decoded together.

        Raises:
            ConfigurationError: The folder holds no model.
        """
        from cclearn.coding.llm import LLMCoder
        from cclearn.engines.local import LocalEngine
        from cclearn.models import read_manifest

        recipe = (read_manifest(model) or {}).get("recipe", {})
        template: Template = recipe.get("rows", {}).get("template", "paired")
        engine = LocalEngine.load(model, batch_size=batch_size)
        return LLMCoder(engine, system or CodeSystem.load(), examples, template)

    def code(self, note: Note | str) -> CodedNote:
        """Code one note.

        Args:
            note: The note, or its text alone.
        """
        if isinstance(note, str):
            note = Note(id="note", text=note)
        return next(iter(self.code_many([note])))

    @abstractmethod
    def code_spans(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Return the codes of each evidence span as they come, the best first; none if none is found."""

    @abstractmethod
    def code_many(self, notes: Iterable[Note]) -> Iterator[CodedNote]:
        """Code notes as they come: in order, one result a note, in constant memory."""
