"""What every coder can do, and how one is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.coding.damage import refusing_damage
from cclearn.coding.findings import Reading
from cclearn.coding.guidelines.aggregate import conclude
from cclearn.coding.guidelines.flags import flagged
from cclearn.coding.guidelines.uncertain import Encounter
from cclearn.engines.base import NOT_FINITE
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote, Note, Origin

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.lexicon.coder import LexiconCoder
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.engines import Answer
    from cclearn.engines.settings import EngineSettings
    from cclearn.notes import SpanPair


@dataclass(slots=True)
class Usage:
    """The tokens that a coder has read and written so far, the seconds of one GPU that it took, and how
    often spans had no answer, by reason; none without a model."""

    prompt_tokens: int = 0
    answer_tokens: int = 0
    gpu_seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)

    def count(self, answer: Answer) -> None:
        """Add what an answer took."""
        self.prompt_tokens += answer.prompt_tokens
        self.answer_tokens += answer.answer_tokens
        self.gpu_seconds += answer.gpu_seconds


class Coder(ABC):
    """Reads notes and assigns codes, each with the words that justify it.

    Attributes:
        name: What reports call it.
        system: The code system it codes with.
        usage: What it has read and written.
        prompt_sha256: Of its prompts; empty where it has none.
        mode: How it reads notes, with the settings that decide what it finds.
        calibration: What its scores mean and which codes are accepted; None leaves the scores raw.
        encounter: The setting of the notes, which decides on uncertain diagnoses; None where it is not
            known.
        grounded: Whether its evidence and codes are of the note and the release by construction.
    """

    name: str
    system: CodeSystem
    usage: Usage
    prompt_sha256: str = ""
    mode: str = "single_pass"
    calibration: Calibration | None = None
    encounter: Encounter | None = None
    grounded: bool = True

    @cached_property
    def model_sha256(self) -> str:
        """The hash of the model that assigns the codes; empty where it is known by its name alone. A
        server is asked for it, once."""
        return ""

    @staticmethod
    def named(
        model: str,
        system: CodeSystem | None = None,
        *,
        examples: Sequence[CodedNote] = (),
        settings: EngineSettings | None = None,
        loop: LoopSettings | None = None,
        calibration: str | Path | None = None,
        encounter: Encounter | None = None,
    ) -> Coder:
        """Return a coder by the name that commands take.

        Args:
            model: `lexicon`, or what `load` takes.
            system: The code system.
            examples: Coded notes that a model is shown before each note; the lexicon needs none.
            settings: Of the engine.
            loop: Reads the note in segments (`span_loop`); None for one pass over it (`single_pass`).
            calibration: As `load` takes it.
            encounter: The setting of the notes.

        Raises:
            ConfigurationError: There is no such model, it cannot do what it is asked for, or the
                calibration is another's.
            DataError: The calibration cannot be read.
        """
        from cclearn.engines.registry import is_lexicon

        if is_lexicon(model) and loop is None:
            return Coder.lexicon(system, calibration=calibration, encounter=encounter)
        return Coder.load(
            model,
            system,
            examples=examples,
            settings=settings,
            loop=loop,
            calibration=calibration,
            encounter=encounter,
        )

    @staticmethod
    def lexicon(
        system: CodeSystem | None = None,
        *,
        pairs: Iterable[SpanPair] = (),
        calibration: str | Path | None = None,
        encounter: Encounter | None = None,
    ) -> LexiconCoder:
        """Return the coder that needs no model: phrase matching with assertion rules.

        Args:
            system: The code system.
            pairs: Further phrases, e.g. a builder's; they win over the coder's own.
            calibration: A file that `cclearn calibrate` wrote; without one nothing is scored.
            encounter: The setting of the notes.

        Raises:
            ConfigurationError: The calibration is another coder's.
            DataError: The calibration cannot be read.
        """
        from cclearn.coding.lexicon.coder import LexiconCoder

        coder = LexiconCoder(system or CodeSystem.load(), pairs)
        coder.encounter = encounter
        if calibration is not None:
            from cclearn.coding.calibration.model import find_calibration

            coder.calibration = find_calibration(coder, calibration)
        return coder

    @staticmethod
    def load(
        model: str | Path,
        system: CodeSystem | None = None,
        *,
        examples: Sequence[CodedNote] = (),
        settings: EngineSettings | None = None,
        loop: LoopSettings | None = None,
        calibration: str | Path | None = None,
        encounter: Encounter | None = None,
    ) -> Coder:
        """Return a coder over a language model.

        Args:
            model: A folder that a recipe wrote, whose template is then used; a name on the hub; `vllm:`
                before either has vLLM run it; `openai:NAME` for a model behind a server; `replay:FILE`
                for answers from a file.
            system: The code system; every code it holds billable may be assigned.
            examples: Coded notes that the model is shown before each note (few-shot).
            settings: Of the engine.
            loop: As for `named`; without examples.
            calibration: A file that `cclearn calibrate` wrote; `off` for raw scores; where it is None,
                the one in the model's folder, if there is one.
            encounter: The setting of the notes.

        Raises:
            ConfigurationError: There is no such model, it cannot do what it is asked for, or the
                calibration is another's.
            DataError: The calibration cannot be read.
        """
        from cclearn.coding.calibration.model import find_calibration

        coder = _bare(str(model), system or CodeSystem.load(), examples, settings, loop)
        coder.calibration = find_calibration(coder, calibration, Path(model))
        coder.encounter = encounter
        return coder

    def prepare(self) -> None:  # noqa: B027 - most have nothing to make
        """Make what the first note would else wait for."""

    def code(self, note: Note | str) -> CodedNote:
        """Code one note.

        Args:
            note: The note, or its text alone.
        """
        if isinstance(note, str):
            note = Note(id="note", text=note)
        return next(iter(self.code_many([note])))

    @abstractmethod
    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Return the codes of each evidence span as they come, the best first; none if none is found.

        Args:
            texts: The spans.
            origin: Of all of them; `restricted` ones never leave the machine unasked.
        """

    def code_many(self, notes: Iterable[Note]) -> Iterator[CodedNote]:
        """Code notes as they come: in order, one result a note, in constant memory."""
        for reading, coded in self.conclude_many(notes):
            if self.calibration is not None:
                coded = self.calibration.apply(coded, reading)
            yield flagged(coded, self.system)

    def conclude_many(self, notes: Iterable[Note]) -> Iterator[tuple[Reading, CodedNote]]:
        """Return what is found in each note, and its codes with their raw scores, in order.

        Raises:
            CclearnError: The model's scores are not finite for several notes in a row, or for all.
        """
        readings = self.read_many(notes)
        for reading in refusing_damage(readings, _is_not_finite, self.name):
            yield reading, conclude(reading, self.system, self.encounter)

    @abstractmethod
    def read_many(self, notes: Iterable[Note]) -> Iterator[Reading]:
        """Return what is found in each note, in order, in constant memory."""


def _is_not_finite(reading: Reading) -> bool:
    return NOT_FINITE in reading.flags


def _bare(
    model: str,
    system: CodeSystem,
    examples: Sequence[CodedNote],
    settings: EngineSettings | None,
    loop: LoopSettings | None,
) -> Coder:
    if loop is not None:
        from cclearn.coding.span_loop.settings import load_span_loop

        if examples:
            raise ConfigurationError(
                [
                    f"examples ({len(examples)} notes): span_loop shows none. Use single_pass, or"
                    " leave them out."
                ]
            )
        return load_span_loop(model, system, settings, loop)
    from cclearn.coding.single_pass.coder import LLMCoder, template_of
    from cclearn.engines.registry import load_engine

    return LLMCoder(load_engine(model, settings), system, examples, template_of(model, system))
