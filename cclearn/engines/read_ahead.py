"""The base class of engines that run a model on this machine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from cclearn.engines.base import Answer, Engine, Request
from cclearn.model_manifest import read_manifest
from cclearn.models import load_tokenizer, model_hash
from cclearn.prompts.encoding import encode_prompt
from cclearn.prompts.template_choice import set_chat_template
from cclearn.runtime.files import sha256_of_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from cclearn.engines.settings import ContextSetting


_ROOM = 4
"""A window leaves 1 / 4 of the context for its answer. The gold answers of CodiEsp take 22 to 24 % of
their rows in the median (`benchmarks/answers.py`)."""


_LEAST_BUDGET = 256
_BUDGET_PER_TOKEN = 3


def answer_budget(tokens: int) -> int:
    """Return the default maximum number of tokens of an answer: 256, and 3 for each token of the prompt.

    It cuts off none of the gold answers of CodiEsp, neither to whole notes nor to windows. The longest
    one takes 95 % of its budget (`benchmarks/answers.py`, with the tokenizer of Gemma 3).

    Args:
        tokens: Number of tokens of the last turn of the prompt, which contains the note.
    """
    return _LEAST_BUDGET + _BUDGET_PER_TOKEN * tokens


def coding_context(model: str, setting: int | ContextSetting) -> int | None:
    """Return the maximum number of tokens of a note's prompt with its answer, or None for no maximum.

    Args:
        model: Folder, or name on the hub.
        setting: The setting `context` of engines.

    Raises:
        DataError: The manifest of the model cannot be read.
    """
    if isinstance(setting, int):
        return setting
    if setting == "model":
        return None
    recipe = (read_manifest(model) or {}).get("recipe", {})
    trained: int | None = recipe.get("training", {}).get("max_length")
    return trained


def tokenizer_and_hash(name: str, chat_template: str | None) -> tuple[PreTrainedTokenizerBase, str]:
    """Return the tokenizer of a model and the hash that identifies the model with its chat template.

    Args:
        name: Folder of the model, or its name on the hub.
        chat_template: Choice of a chat template (`cclearn.prompts.template_choice`), or None for the
            model's own.

    Raises:
        ConfigurationError: There is no model of that name, or the chat template cannot be used with it.
    """
    tokenizer, digest = load_tokenizer(name), model_hash(name)
    if chat_template is not None:
        set_chat_template(tokenizer, chat_template, "engine.chat_template")
        digest = digest and sha256_of_text(f"{digest} {tokenizer.chat_template}")
    return tokenizer, digest


class ReadAheadEngine(Engine):
    """Reads requests ahead in chunks, so that requests of similar length in a chunk can share a batch.

    Attributes:
        tokenizer: Tokenizer of the model.
        max_new_tokens: Maximum number of tokens of an answer. None for `answer_budget`.
        context: Maximum number of tokens of a prompt's last turn with its answer, which determines how a
            note is split into windows. None for the context of the model.
        chunk_size: Number of requests in a chunk.
        variant: Settings with which the same weights give other answers.
    """

    refers_to = "weights"

    tokenizer: PreTrainedTokenizerBase
    max_new_tokens: int | None
    context: int | None
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
        most = self.max_new_tokens or f"{_LEAST_BUDGET}+{_BUDGET_PER_TOKEN}*prompt"
        parts = [self._model_sha256, self._runner, "greedy", most, self.variant]
        return " ".join(map(str, filter(None, parts)))

    def fits(self, request: Request) -> bool:
        """Return whether the context has room for a prompt and an answer.

        The last turn of the prompt must fit into `context` with its answer, as the rows did that the
        model was trained on. Examples before it need not, but the whole prompt must fit into the model's
        own context. The room for an answer is its maximum length, or a quarter of the context if that is
        less. An answer that needs more may take it from the rest of the model's own context.
        """
        prompt = len(encode_prompt(self.tokenizer, request.prompt))
        turn = self._turn_tokens(request, prompt)
        most = self._context()
        context = min(self.context or most, most)
        room = min(self._budget(turn), context // _ROOM)
        return prompt + room <= most and turn + room <= context

    def _turn_tokens(self, request: Request, prompt: int) -> int:
        """Return the number of tokens of the last turn of a prompt, which contains the note.

        Args:
            request: Request with the prompt.
            prompt: Number of tokens of the whole prompt.
        """
        if len(request.prompt) == 1:
            return prompt
        return len(encode_prompt(self.tokenizer, request.prompt[-1:]))

    def _budget(self, turn: int) -> int:
        return answer_budget(turn) if self.max_new_tokens is None else self.max_new_tokens

    def _limit(self, request: Request, prompt: int) -> int:
        """Return the maximum number of tokens of the answer to a prompt that leaves room for one.

        Args:
            request: Request with the prompt.
            prompt: Number of tokens of the whole prompt.
        """
        return min(self._budget(self._turn_tokens(request, prompt)), self._context() - prompt)

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers to requests in order."""
        stream = iter(requests)
        while chunk := list(islice(stream, self.chunk_size)):
            yield from self._answer_chunk(chunk)

    @abstractmethod
    def _context(self) -> int:
        """Return the maximum number of tokens that the model can read and generate together."""

    @abstractmethod
    def _answer_chunk(self, requests: list[Request]) -> Iterator[Answer]:
        """Yield the answers to the requests of a chunk in order."""
