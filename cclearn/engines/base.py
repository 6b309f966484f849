"""The interface that every generator has."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from cclearn.errors import CclearnError
from cclearn.notes import Origin
from cclearn.prompts import Message

if TYPE_CHECKING:
    from cclearn.engines.settings import EngineSettings

_HALVES = re.compile(r"[\ud800-\udfff]")

NOT_FINITE = "not_finite"
"""The problem of an answer whose scores are NaN or infinite, or the same for every token: the model's
weights are damaged."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    Attributes:
        id: Of the note or span, for messages.
        prompt: The messages.
        grammar: What the answer may be, in llguidance's Lark; None leaves it free.
        origin: Of the text that it holds; `restricted` text never leaves the machine unasked.
    """

    id: str
    prompt: Sequence[Message]
    grammar: str | None = None
    origin: Origin = "restricted"


@dataclass(frozen=True, slots=True)
class TokenPiece:
    """A generated token: its bytes' place in the answer's UTF-8 text and its log-probability."""

    start: int
    end: int
    log_probability: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Attributes:
        id: The request's id.
        text: The answer without its end-of-turn token.
        complete: False where the model was cut off, at its token limit or the grammar's.
        pieces: The tokens, in order; empty where the engine gives no probabilities.
        prompt_tokens: How many tokens were read.
        answer_tokens: How many were written.
        gpu_seconds: Its share of the seconds that a GPU took; 0 where none of ours did.
        problem: Why there is no answer, None where there is one. An answer with a log-probability that
            is not finite has the problem `not_finite`, and neither text nor pieces.
    """

    id: str
    text: str
    complete: bool = True
    pieces: list[TokenPiece] = field(default_factory=list)
    prompt_tokens: int = 0
    answer_tokens: int = 0
    gpu_seconds: float = 0.0
    problem: str | None = None

    def __post_init__(self) -> None:
        # Halves of surrogate pairs, which JSON can spell and no file can hold.
        object.__setattr__(self, "text", _HALVES.sub("\ufffd", self.text))
        if not all(math.isfinite(piece.log_probability) for piece in self.pieces):
            object.__setattr__(self, "problem", NOT_FINITE)
        if self.problem == NOT_FINITE:
            object.__setattr__(self, "text", "")
            object.__setattr__(self, "pieces", [])

    def probability(self, start: int, end: int) -> float | None:
        """Return the probability of the tokens that spell `text[start:end]` (code points).

        The product of the probabilities under the grammar; None where the engine gives none.
        """
        first, last = len(self.text[:start].encode()), len(self.text[:end].encode())
        logs = [p.log_probability for p in self.pieces if p.start < last and p.end > first]
        return math.exp(min(0.0, math.fsum(logs))) if logs else None


@dataclass(frozen=True, slots=True)
class Choice:
    """A prompt and the answers among which a model chooses.

    Attributes:
        id: Of the span, for messages.
        prompt: The messages.
        answers: At least one.
        origin: As for a `Request`.
        whole: Whether the answers end there. Where they are beginnings, none may be that of another: it
            would always outweigh it.
    """

    id: str
    prompt: Sequence[Message]
    answers: Sequence[str]
    origin: Origin = "restricted"
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """What a model thinks of the answers among which it chooses.

    Attributes:
        id: The choice's id.
        log_probabilities: The natural logarithm of the probability of each answer after the prompt,
            finite; the list is empty where there is a problem.
        prompt_tokens: How many tokens were read, those of the answers too.
        gpu_seconds: As for an `Answer`.
        problem: Why there are none, None where there are; `not_finite` where one was NaN or infinite.
    """

    id: str
    log_probabilities: Sequence[float]
    prompt_tokens: int = 0
    gpu_seconds: float = 0.0
    problem: str | None = None

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.log_probabilities)):
            object.__setattr__(self, "log_probabilities", [])
            object.__setattr__(self, "problem", NOT_FINITE)


class Engine(ABC):
    """Answers requests.

    An engine is registered in `cclearn.engines.registry` or by an entry point in the group
    `cclearn.engines`. The class attributes say what its models need before one is loaded.

    Attributes:
        refers_to: What the part of a model's name after the prefix is: `weights` (a folder, or a name on
            the hub), a `file`, or a `name` that the engine alone understands.
        is_remote: Whether a server runs the model.
        needs_gpu: Whether the engine runs on GPUs only, which it takes for itself.
        name: What reports call it.
        grounded: Whether it keeps to a request's grammar.
        weighs: Whether it can `weigh` answers.
    """

    refers_to: ClassVar[Literal["weights", "file", "name"]] = "name"
    is_remote: ClassVar[bool] = False
    needs_gpu: ClassVar[bool] = False

    name: str
    grounded: bool
    weighs: bool = False

    @classmethod
    def from_name(cls, target: str, settings: EngineSettings) -> Engine:
        """Return the engine for a model's name.

        Args:
            target: The part of the name after the prefix.
            settings: Settings of all engines, from which the engine takes its own.

        Raises:
            CclearnError: The model cannot be loaded.
        """
        raise NotImplementedError(f"{cls.__name__} is not registered under a name")

    @classmethod
    def gpus(cls, settings: EngineSettings) -> int:
        """Return how many GPUs of this machine the engine uses if there are any."""
        return 0

    @property
    def model_sha256(self) -> str:
        """A hash that names what answers: a model's files (`cclearn.models.model_hash`), a file of
        answers, or what a server says of its model; empty where it is known by its name alone."""
        return ""

    @property
    def identity(self) -> str:
        """What decides the answers, for the cache: the model and the decoding; empty where it is not
        known, and then nothing is cached."""
        return ""

    def fits(self, request: Request) -> bool:
        """Say whether a prompt leaves room for an answer, as far as the engine can tell."""
        return True

    @abstractmethod
    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests as they come: in order, one answer a request, in constant memory."""

    def weigh(self, choices: Iterable[Choice]) -> Iterator[Weights]:
        """Weigh the answers of choices as they come: in order, in constant memory.

        Raises:
            CclearnError: The engine cannot.
        """
        raise CclearnError(f"engine (name = {self.name}): it gives no weights of answers.")
