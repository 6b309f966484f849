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


class ReadAheadEngine(Engine):
    """Reads requests ahead in chunks, so that requests of similar length in a chunk can share a batch.

    Attributes:
        tokenizer: Tokenizer of the model.
        max_new_tokens: Maximum number of tokens of an answer.
        chunk_size: Number of requests in a chunk.
    """

    refers_to = "weights"

    tokenizer: PreTrainedTokenizerBase
    max_new_tokens: int
    chunk_size: int
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
        """Return whether the context has room for a prompt and an answer.

        The room for an answer is `max_new_tokens`, or a quarter of the context if that is less.
        """
        room = min(self.max_new_tokens, self._context() // 4)
        return len(encode_prompt(self.tokenizer, request.prompt)) + room <= self._context()

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers to requests in order."""
        stream = iter(requests)
        while chunk := list(islice(stream, self.chunk_size)):
            yield from self._answer_chunk(chunk)

    @abstractmethod
    def _context(self) -> int:
        """Return the maximum number of tokens of a prompt and its answer together."""

    @abstractmethod
    def _answer_chunk(self, requests: list[Request]) -> Iterator[Answer]:
        """Yield the answers to the requests of a chunk in order."""
