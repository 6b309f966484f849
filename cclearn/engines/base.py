"""The interface of every engine."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from cclearn.errors import CclearnError
from cclearn.notes import Origin
from cclearn.prompts import Message

if TYPE_CHECKING:
    from cclearn.engines.settings import EngineSettings

_SURROGATES = re.compile(r"[\ud800-\udfff]")

NOT_FINITE = "not_finite"
"""The problem of an answer with scores that are NaN, infinite, or equal for every token. The weights of
the model are damaged."""


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt for a model, with the grammar of its answer.

    Attributes:
        id: Id of the note or the span, for messages.
        prompt: Messages of the chat.
        grammar: Grammar of the answer in the Lark dialect of llguidance. None for a free answer.
        origin: Origin of the text in the prompt. It decides whether a server may receive the text.
        line_limit: Function that returns how often a line may be in the answer. Local models end an
            answer before the first line that is repeated more often. None for no limit.
    """

    id: str
    prompt: Sequence[Message]
    grammar: str | None = None
    origin: Origin = "restricted"
    line_limit: Callable[[str], int] | None = None


@dataclass(frozen=True, slots=True)
class TokenPiece:
    """A generated token: its byte offsets in the answer's UTF-8 text, and its log-probability."""

    start: int
    end: int
    log_probability: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request.

    Attributes:
        id: Id of the request.
        text: Text of the answer without its end-of-turn token.
        complete: Whether the answer is complete. False if the answer was cut off at the token limit
            or at a limit of the grammar.
        pieces: Tokens of the answer in order; empty if the engine gives no probabilities.
        prompt_tokens: Number of tokens in the prompt.
        answer_tokens: Number of tokens in the answer.
        gpu_seconds: Seconds that GPUs of this machine took for the batch of the answer, summed over the
            GPUs and divided by the number of answers in the batch.
        problem: Reason why there is no answer; None if there is one. An answer with a log-probability
            that is not finite has the problem `not_finite`, and neither text nor pieces.
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
        # JSON can spell halves of surrogate pairs, but no UTF-8 file can contain them.
        object.__setattr__(self, "text", _SURROGATES.sub("\ufffd", self.text))
        if not all(math.isfinite(piece.log_probability) for piece in self.pieces):
            object.__setattr__(self, "problem", NOT_FINITE)
        if self.problem == NOT_FINITE:
            object.__setattr__(self, "text", "")
            object.__setattr__(self, "pieces", [])

    def probability(self, start: int, end: int) -> float | None:
        """Return the probability of the tokens that spell `text[start:end]` (code points).

        It is the product of the tokens' probabilities under the grammar, or None if the engine gives
        no probabilities.
        """
        first, last = len(self.text[:start].encode()), len(self.text[:end].encode())
        logs = [p.log_probability for p in self.pieces if p.start < last and p.end > first]
        return math.exp(min(0.0, math.fsum(logs))) if logs else None


@dataclass(frozen=True, slots=True)
class Choice:
    """A prompt and the answers among which a model chooses.

    Attributes:
        id: Id of the span, for messages.
        prompt: Messages of the chat.
        answers: Possible answers, at least one.
        origin: Origin of the text in the prompt, with the meaning that it has in a `Request`.
        complete: Whether the answers are complete, so that their end-of-turn token is scored too.
            Otherwise they are beginnings of answers. No beginning may begin another one, because it
            would always be at least as likely.
    """

    id: str
    prompt: Sequence[Message]
    answers: Sequence[str]
    origin: Origin = "restricted"
    complete: bool = False


@dataclass(frozen=True, slots=True)
class LogLikelihoods:
    """The log-likelihoods of the answers of a choice.

    Attributes:
        id: Id of the choice.
        log_probabilities: Natural logarithm of the probability of each answer given the prompt. All are
            finite. The list is empty if there is a problem.
        prompt_tokens: Number of tokens in the prompt and in the answers.
        gpu_seconds: Time that a GPU of this machine took, in seconds.
        problem: Reason why there are no log-likelihoods; None if there are. It is `not_finite` if one
            of them was NaN or infinite.
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
    """Generates the answers to requests.

    An engine is registered in `cclearn.registry.ENGINES` or by an entry point in the group
    `cclearn.engines`. The class attributes `refers_to`, `is_remote` and `needs_gpu` are available before
    a model is loaded.

    Attributes:
        refers_to: Meaning of the part of a model's name after the prefix: `weights` for a folder or a
            name on the hub, `file` for a file, or `name` for a name that only the engine understands.
        is_remote: Whether a server runs the model.
        needs_gpu: Whether the engine runs only on GPUs, which no other process may use.
        name: Name of the model in reports.
        grounded: Whether the answers follow the grammar of the request.
        gives_log_likelihoods: Whether the engine can compute `log_likelihoods`.
        variant: Settings with which the same model gives other answers, as `key=value`; empty for the
            defaults. It is part of the identity of a coder.
    """

    refers_to: ClassVar[Literal["weights", "file", "name"]] = "name"
    is_remote: ClassVar[bool] = False
    needs_gpu: ClassVar[bool] = False

    name: str
    grounded: bool
    gives_log_likelihoods: bool = False
    variant: str = ""

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
        """A hash that identifies the model; empty if only its name is known.

        It is the hash of the model's files (`cclearn.models.model_hash`), of a file of answers, or of
        what a server reports about its model.
        """
        return ""

    @property
    def identity(self) -> str:
        """Everything that determines the answers: the model and the decoding.

        It is part of the keys of the cache. If it is empty, nothing is cached.
        """
        return ""

    def fits(self, request: Request) -> bool:
        """Return whether the context has room for a prompt and an answer. True if it is unknown."""
        return True

    @abstractmethod
    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield one answer for each request, in order and in constant memory."""

    def log_likelihoods(self, choices: Iterable[Choice]) -> Iterator[LogLikelihoods]:
        """Yield the log-likelihoods of the answers of each choice, in order and in constant memory.

        Raises:
            CclearnError: The engine gives no log-likelihoods.
        """
        raise CclearnError(
            f"engine (name = {self.name}): it gives no log-likelihoods. Use a model on this machine."
        )
