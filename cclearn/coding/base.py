"""The abstract base class of all coders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cclearn.coding.damage import stop_if_damaged
from cclearn.coding.findings import NoteFindings
from cclearn.coding.guidelines.aggregate import aggregate
from cclearn.coding.guidelines.flags import add_rule_flags
from cclearn.coding.identity import CoderIdentity
from cclearn.coding.settings import CoderSettings
from cclearn.engines.base import NOT_FINITE
from cclearn.notes import CodedNote, Note, Origin
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.columns import NoteColumns
from cclearn.notes.given import as_notes

if TYPE_CHECKING:
    from cclearn.codes import CodeSystem
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter
    from cclearn.engines import Answer, LogLikelihoods
    from cclearn.notes import SpanPair

    Loader = Callable[[CoderSettings, CodeSystem | None], "Coder"]


@dataclass(slots=True)
class Usage:
    """Counts of tokens, seconds and problems of a coder so far. They are zero without a model.

    A coder and its parts share one instance, which is passed to their constructors.

    Attributes:
        prompt_tokens: Number of tokens of the prompts, and of the answers that were only scored.
        answer_tokens: Number of tokens that the model has generated.
        gpu_seconds: Number of seconds for which one GPU was busy.
        problems: Number of spans for which the model gave no answer, by the reason.
    """

    prompt_tokens: int = 0
    answer_tokens: int = 0
    gpu_seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)

    def count(self, result: Answer | LogLikelihoods) -> None:
        """Add the tokens and the GPU seconds of one result of an engine."""
        self.prompt_tokens += result.prompt_tokens
        self.answer_tokens += getattr(result, "answer_tokens", 0)
        self.gpu_seconds += result.gpu_seconds

    def count_span(self, result: Answer | LogLikelihoods) -> None:
        """Add one result of an engine for a span, and count its problem if it has one."""
        self.count(result)
        if result.problem:
            self.problems[result.problem] += 1


class Coder(ABC):
    """Assigns codes to notes. Every code cites the words of the note that justify it.

    A coder is complete when its constructor returns. Use `load_coder` to construct one from settings.

    Args:
        name: Name of the coder in reports.
        system: Code system whose codes are assigned.
        usage: Counts that the coder shares with its parts. None creates new ones.
        calibration: Calibration that turns raw scores into probabilities and decisions. None leaves the
            scores raw.
        encounter: Setting of the notes, which decides whether uncertain diagnoses are coded. None if it
            is not known.
        assertion: Language of the assertion rules. `off` codes all mentions.

    Attributes:
        prompt_sha256: Hash of the prompts. Empty if the coder has no prompts.
        mode: Name of the method that finds codes, followed by the settings that determine its findings.
        grounded: Whether all evidence occurs in the note and all codes are valid by construction.
    """

    prompt_sha256: str = ""
    mode: str = "single_pass"
    grounded: bool = True
    _loader: ClassVar[Loader]

    def __init__(
        self,
        name: str,
        system: CodeSystem,
        *,
        usage: Usage | None = None,
        calibration: Calibration | None = None,
        encounter: Encounter | None = None,
        assertion: AssertionLanguage = "english",
    ) -> None:
        self.name = name
        self.system = system
        self.usage = Usage() if usage is None else usage
        self.calibration = calibration
        self.encounter = encounter
        self.assertion: AssertionLanguage = assertion

    @staticmethod
    def lexicon(
        system: CodeSystem | None = None, *, pairs: Iterable[SpanPair] = (), **options: Any
    ) -> Coder:
        """Return the coder that needs no model: phrase matching with assertion rules.

        Args:
            system: Code system whose codes are assigned. None loads the release of ICD-10-CM that comes
                with the package.
            pairs: Span pairs with additional phrases, which replace equal phrases of the code system. Of
                several codes of a phrase, the most frequent one counts.
            options: Further fields of `CoderSettings`, such as `calibration` and `encounter`.

        Raises:
            ConfigurationError: The calibration was made for another coder.
            DataError: The calibration cannot be read.
        """
        return Coder._loader(CoderSettings(pairs=tuple(pairs) or None, **options), system)

    @staticmethod
    def load(model: str | Path, system: CodeSystem | None = None, **options: Any) -> Coder:
        """Return a coder that uses a language model.

        Args:
            model: Folder that a recipe wrote, name of a model on the hub, or name with a prefix:
                `vllm:MODEL`, `openai:NAME` or `replay:FILE`.
            system: Code system whose billable codes may be assigned. None loads the release of ICD-10-CM
                that comes with the package.
            options: Further fields of `CoderSettings`, such as `engine`, `loop`, `examples` and
                `calibration`.

        Raises:
            ConfigurationError: The model is missing or does not support the options, or the calibration
                was made for another coder.
            DataError: The calibration cannot be read.
        """
        return Coder._loader(CoderSettings(model=str(model), **options), system)

    @cached_property
    def model_sha256(self) -> str:
        """Hash of the model that assigns the codes. Empty if only the model's name is known.

        A server is asked for the hash once.
        """
        return ""

    @property
    def identity(self) -> CoderIdentity:
        """Everything that a calibration must have in common with this coder."""
        return CoderIdentity(
            model=self.name,
            model_sha256=self.model_sha256,
            mode=self.mode
            if self.assertion == "english"
            else f"{self.mode} assertion={self.assertion}",
            prompt_sha256=self.prompt_sha256,
            system=self.system.name,
            release=self.system.release,
        )

    def prepare(self) -> None:  # noqa: B027 - most coders have nothing to prepare
        """Load everything that would otherwise be loaded with the first note."""

    def code(self, note: Note | str) -> CodedNote:
        """Code one note.

        Args:
            note: A note, or the text of a note.
        """
        if isinstance(note, str):
            note = Note(id="note", text=note)
        return next(iter(self.code_many([note])))

    @abstractmethod
    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the codes of each evidence span, best first. The list is empty if no code is found.

        Args:
            texts: Texts of the spans.
            origin: Origin of all spans. `restricted` spans leave the machine only with permission.
        """

    def code_many(
        self, notes: Iterable[Any], columns: NoteColumns | None = None
    ) -> Iterator[CodedNote]:
        """Code a stream of notes. Yields one result per note, in order, in constant memory.

        Args:
            notes: Notes, coded notes, texts, or mappings with `id` and `text`; or a column or a table of
                pandas, polars or `datasets` (`cclearn.notes.given.as_notes`).
            columns: Names of the fields of mappings and tables. None for `id` and `text`.

        Raises:
            TypeError: `notes` is a single note, or an item is of another type.
            DataError: A mapping is not a note.
        """
        return self._code_each(as_notes(notes, columns))

    def _code_each(self, notes: Iterable[Note]) -> Iterator[CodedNote]:
        for note_findings, coded in self.aggregate_many(notes):
            coded = self.decided(note_findings, coded)
            yield add_rule_flags(coded, self.system, self.assertion)

    def decided(self, note_findings: NoteFindings, coded: CodedNote) -> CodedNote:
        """Return a note with the decisions on its codes. Without a calibration, there are none.

        Args:
            note_findings: Findings in the note.
            coded: Note with the codes of the findings and their raw scores.
        """
        if self.calibration is None:
            return coded
        return self.calibration.apply(coded, note_findings)

    def aggregate_many(self, notes: Iterable[Note]) -> Iterator[tuple[NoteFindings, CodedNote]]:
        """Yield the findings of each note together with its codes and their raw scores, in order.

        Raises:
            CclearnError: The scores of the model are not finite for several consecutive notes, or for
                all notes.
        """
        all_findings = self.read_many(notes)
        for note_findings in stop_if_damaged(all_findings, _is_not_finite, self.name):
            yield note_findings, aggregate(note_findings, self.system, self.encounter)

    @abstractmethod
    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        """Yield the findings of each note, in order, in constant memory."""


def _is_not_finite(note_findings: NoteFindings) -> bool:
    return NOT_FINITE in note_findings.flags


def set_loader(loader: Loader) -> None:
    """Set the function with which `Coder.lexicon` and `Coder.load` construct coders.

    `cclearn.coding.load` calls this when it is imported, so that this module imports no coder.

    Args:
        loader: Function that constructs a coder from its settings.
    """
    Coder._loader = staticmethod(loader)
