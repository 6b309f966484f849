"""The base class of engines that run a model on this machine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from cclearn.engines.base import Answer, Engine, Request
from cclearn.prompts.encoding import encode_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class WindowedEngine(Engine):
    """Answers requests in windows, so that requests of similar length can share a batch.

    Attributes:
        tokenizer: Tokenizer of the model.
        max_new_tokens: Maximum number of tokens of an answer.
        window: Number of requests that are read ahead.
    """

    refers_to = "weights"

    tokenizer: PreTrainedTokenizerBase
    max_new_tokens: int
    window: int
    _runner: str
    _model_sha256: str

    @property
    def model_sha256(self) -> str:
        """The hash of the model's files; empty if it was not loaded from files."""
        return self._model_sha256

    @property
    def identity(self) -> str:
        """The hash of the model and the decoding; empty if there is no hash."""
        if not self._model_sha256:
            return ""
        return f"{self._model_sha256} {self._runner} greedy {self.max_new_tokens}"

    def fits(self, request: Request) -> bool:
        """Return whether a prompt leaves room for `max_new_tokens` or for a quarter of the context."""
        room = min(self.max_new_tokens, self._context() // 4)
        return len(encode_prompt(self.tokenizer, request.prompt)) + room <= self._context()

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers to requests in order."""
        waiting = iter(requests)
        while window := list(islice(waiting, self.window)):
            yield from self._answer_window(window)

    @abstractmethod
    def _context(self) -> int:
        """Return the maximum number of tokens of a prompt and its answer."""

    @abstractmethod
    def _answer_window(self, window: list[Request]) -> Iterator[Answer]:
        """Yield the answers to the requests of a window in order."""
