"""What engines share that run a model here: its tokenizer, its context, requests read in groups."""

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
    """Answers requests a window at a time, so that those of like length may share a batch.

    Attributes:
        tokenizer: The model's.
        max_new_tokens: The longest answer, in tokens.
        window: How many requests are read ahead.
    """

    refers_to = "weights"

    tokenizer: PreTrainedTokenizerBase
    max_new_tokens: int
    window: int
    _runner: str
    _model_sha256: str

    @property
    def model_sha256(self) -> str:
        """The hash of the model's files; empty where it was not loaded from files."""
        return self._model_sha256

    @property
    def identity(self) -> str:
        """The model's hash and the decoding; empty without a hash."""
        if not self._model_sha256:
            return ""
        return f"{self._model_sha256} {self._runner} greedy {self.max_new_tokens}"

    def fits(self, request: Request) -> bool:
        """Say whether a prompt leaves room for an answer: all it may be, or a quarter of the context."""
        room = min(self.max_new_tokens, self._context() // 4)
        return len(encode_prompt(self.tokenizer, request.prompt)) + room <= self._context()

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests in order."""
        waiting = iter(requests)
        while window := list(islice(waiting, self.window)):
            yield from self._answer_window(window)

    @abstractmethod
    def _context(self) -> int:
        """Return how many tokens a prompt and its answer may have."""

    @abstractmethod
    def _answer_window(self, window: list[Request]) -> Iterator[Answer]:
        """Answer some requests in order."""
