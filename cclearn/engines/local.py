"""A model that transformers runs on this machine, with answers constrained by llguidance."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llguidance import LLExecutor, LLMatcher, LLParserLimits, LLTokenizer

from cclearn.engines.base import NOT_FINITE, Answer, Choice, LogLikelihoods, Request, TokenPiece
from cclearn.engines.lines import LineCounter
from cclearn.engines.loading import Loading
from cclearn.engines.read_ahead import ReadAheadEngine, coding_context, tokenizer_and_hash
from cclearn.engines.settings import variant_of
from cclearn.engines.vocabulary import grammar_vocabulary, vocabulary_sizes
from cclearn.errors import ConfigurationError, foreign_errors
from cclearn.prompts.encoding import encode_prompt, encode_texts, end_of_turn

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from cclearn.engines.grammar_guide import GuidedAnswer
    from cclearn.engines.settings import ContextSetting, EngineSettings

# The default limits of llguidance are too low for long notes that repeat the same few words. Verbose
# messages would quote the grammar, which contains the note.
_LIMITS = LLParserLimits(
    initial_lexer_fuel=50_000_000, step_lexer_fuel=10_000_000, verbose_errors=False
)

_BATCHES_AHEAD = 8
"""Number of batches to read ahead, so that requests of similar length share a batch."""


class LocalEngine(ReadAheadEngine):
    """Greedy decoding with a causal language model.

    A request whose grammar cannot be compiled is answered with the problem `grammar`.

    Args:
        model: Model in evaluation mode, on the device to run it on.
        tokenizer: Tokenizer with a chat template.
        batch_size: Number of requests that are decoded together.
        max_new_tokens: Maximum number of tokens of an answer. None for `answer_budget` of the prompt.
        context: Maximum number of tokens of a note's prompt with its answer. None for the context of the
            model.
        name: Name of the model in reports.
        model_sha256: Hash of the model's files (`cclearn.models.model_hash`); empty if there are none.

    Raises:
        ConfigurationError: The tokenizer does not fit the model (`cclearn.engines.vocabulary`).
    """

    grounded = True
    gives_log_likelihoods = True
    _runner = "transformers"

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        batch_size: int = 32,
        max_new_tokens: int | None = None,
        context: int | None = None,
        name: str = "local",
        model_sha256: str = "",
    ) -> None:
        from llguidance.hf import from_tokenizer

        self.name = name
        self._model_sha256 = model_sha256
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.max_new_tokens = max_new_tokens
        self.context = context
        self.chunk_size = batch_size * _BATCHES_AHEAD
        self._vocabulary = grammar_vocabulary(tokenizer, *vocabulary_sizes(model), name)
        self._end = end_of_turn(tokenizer)
        self._grammar_tokenizer: LLTokenizer = from_tokenizer(
            tokenizer, n_vocab=self._vocabulary, eos_token=self._end
        )
        self._executor = LLExecutor(num_threads=os.cpu_count())
        # The most tokens of a batch that fit into the memory of the GPU: rows x (prompt + answer).
        self._most_tokens = sys.maxsize

    @classmethod
    def from_name(cls, target: str, settings: EngineSettings) -> LocalEngine:
        """Load a model from a folder or the hub."""
        return cls.load(
            target,
            batch_size=settings.batch_size,
            max_new_tokens=settings.max_new_tokens,
            context=settings.context,
            chat_template=settings.chat_template,
            loading=Loading(settings.quantise, settings.dtype, settings.device_map),
        )

    @classmethod
    def gpus(cls, settings: EngineSettings) -> int:
        """Return 1, or the number of GPUs of this machine if a model is spread over all of them."""
        if settings.device_map is None:
            return 1
        import torch

        return max(1, torch.cuda.device_count())

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        *,
        batch_size: int = 32,
        max_new_tokens: int | None = None,
        context: int | ContextSetting = "trained",
        chat_template: str | None = None,
        loading: Loading | None = None,
    ) -> LocalEngine:
        """Load a model and its tokenizer from a folder or the hub.

        Args:
            name_or_path: Folder that a recipe wrote, or name on the hub.
            batch_size: Number of requests that are decoded together.
            max_new_tokens: Maximum number of tokens of an answer. None for `answer_budget` of the
                prompt.
            context: The setting `context` of `EngineSettings`.
            chat_template: Chat template for a model that has none
                (`cclearn.prompts.template_choice`).
            loading: How the model is loaded. None for its own number format on one device.

        Raises:
            ConfigurationError: There is no model of that name, it does not fit into the memory, its
                tokenizer does not fit it, or the chat template cannot be used.
        """
        name = str(name_or_path)
        loading = loading or Loading()
        tokenizer, digest = tokenizer_and_hash(name, chat_template)
        model = loading.load(name)
        with _reporting_errors(name):
            engine = cls(
                model,
                tokenizer,
                batch_size=batch_size,
                max_new_tokens=max_new_tokens,
                context=coding_context(name, context),
                name=Path(name).name,
                model_sha256=digest,
            )
        engine.variant = variant_of(context=context, quantise=loading.quantise, dtype=loading.dtype)
        return engine

    def log_likelihoods(self, choices: Iterable[Choice]) -> Iterator[LogLikelihoods]:
        """Yield the log-likelihoods of choices in order, each computed in one forward pass."""
        import torch

        from cclearn.engines.tree_scoring import score_answers

        for choice in choices:
            prompt = encode_prompt(self.tokenizer, choice.prompt)
            answers = encode_texts(self.tokenizer, choice.answers)
            if choice.complete:
                answers = [[*answer, self._end] for answer in answers]
            if len(prompt) + max(map(len, answers)) > self._context():
                yield LogLikelihoods(choice.id, [], len(prompt), problem="exceeds_context")
                continue
            started = time.perf_counter()
            try:
                with _reporting_errors(self.name):
                    logs = score_answers(self.model, prompt, answers)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                yield LogLikelihoods(choice.id, [], len(prompt), problem="out_of_memory")
                continue
            taken = time.perf_counter() - started if self.model.device.type == "cuda" else 0.0
            yield LogLikelihoods(choice.id, logs, len(prompt) + sum(map(len, answers)), taken)

    def _answer_chunk(self, requests: list[Request]) -> Iterator[Answer]:
        prompts = [encode_prompt(self.tokenizer, request.prompt) for request in requests]
        answers: dict[int, Answer] = {}
        limits: dict[int, int] = {}
        for index, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
            limits[index] = self._limit(request, len(prompt))
            if limits[index] < 1:
                answers[index] = Answer(
                    request.id, "", prompt_tokens=len(prompt), problem="exceeds_context"
                )
        # Prompts of similar length fill their batch, and answers to them tend to have similar lengths.
        by_length = sorted(limits.keys() - answers.keys(), key=lambda i: (len(prompts[i]), i))
        batches = [
            by_length[start : start + self.batch_size]
            for start in range(0, len(by_length), self.batch_size)
        ]
        # Grammars are compiled while the previous batch is decoded; llguidance releases the GIL.
        with ThreadPoolExecutor(os.cpu_count()) as compilers:

            def compile_grammars(batch: list[int]) -> list[Future[LLMatcher | None]]:
                return [compilers.submit(self._matcher, requests[index]) for index in batch]

            following = compile_grammars(batches[0]) if batches else []
            for number, batch in enumerate(batches, start=1):
                compiled = following
                following = compile_grammars(batches[number]) if number < len(batches) else []
                matchers: dict[int, LLMatcher | None] = {}
                for index, future in zip(batch, compiled, strict=True):
                    matcher = future.result()
                    if matcher is not None and matcher.is_error():
                        answers[index] = Answer(requests[index].id, "", problem="grammar")
                    else:
                        matchers[index] = matcher
                if matchers:
                    made = self._answer_in_memory(
                        [requests[index] for index in matchers],
                        [prompts[index] for index in matchers],
                        [limits[index] for index in matchers],
                        list(matchers.values()),
                    )
                    answers.update(zip(matchers, made, strict=True))
        return (answers[index] for index in range(len(requests)))

    def _answer_in_memory(
        self,
        requests: list[Request],
        prompts: list[list[int]],
        limits: list[int],
        matchers: list[LLMatcher | None],
    ) -> list[Answer]:
        """Answer a batch, in parts if the memory of the GPU is too small for all of it.

        The largest size that fitted is remembered, so that later batches need not fail first.
        """
        import torch

        answers: list[Answer] = []
        while (done := len(answers)) < len(requests):
            a_row = max(map(len, prompts[done:])) + max(limits[done:])
            rows = min(len(requests) - done, max(1, self._most_tokens // a_row))
            part = slice(done, done + rows)
            # A matcher that a failed attempt has used cannot be used again.
            fresh = [matcher and matcher.deep_copy() for matcher in matchers[part]]
            with suppress(torch.OutOfMemoryError):
                answers += self._answer_batch(requests[part], prompts[part], limits[part], fresh)
                continue
            torch.cuda.empty_cache()
            self._most_tokens = min(self._most_tokens, rows * a_row // 2 if rows > 1 else a_row - 1)
            if rows == 1:
                tokens = len(prompts[done])
                problem = "out_of_memory"
                answers.append(Answer(requests[done].id, "", prompt_tokens=tokens, problem=problem))
        return answers

    def _context(self) -> int:
        # A model that also reads images has a configuration of its language model inside its own.
        config = self.model.config.get_text_config(decoder=True)
        return int(getattr(config, "max_position_embeddings", 0) or 2**31)

    def _answer_batch(
        self,
        requests: list[Request],
        prompts: list[list[int]],
        limits: list[int],
        matchers: list[LLMatcher | None],
    ) -> list[Answer]:
        from cclearn.engines.generation import decode
        from cclearn.engines.grammar_guide import GrammarGuide, GuidedAnswer

        guided = [
            GuidedAnswer(matcher, limit, request.line_limit and LineCounter(request.line_limit))
            for request, matcher, limit in zip(requests, matchers, limits, strict=True)
        ]
        width = max(map(len, prompts))
        pad = self.tokenizer.pad_token_id
        started = time.perf_counter()
        with _reporting_errors(self.name):
            generated = decode(
                self.model,
                prompts,
                GrammarGuide(
                    guided,
                    self._executor,
                    self._grammar_tokenizer,
                    width,
                    self._end,
                    self._vocabulary,
                ),
                max_new_tokens=max(limits) + 1,  # The guide ends an answer at its limit.
                pad=int(self.tokenizer.eos_token_id if pad is None else pad),
                end=self._end,
            )
        on_gpu = self.model.device.type == "cuda"
        seconds = (time.perf_counter() - started) / len(requests) if on_gpu else 0.0
        return [
            replace(
                self._read_answer(request.id, tokens, answer),
                prompt_tokens=len(prompt),
                gpu_seconds=seconds,
            )
            for request, prompt, tokens, answer in zip(
                requests, prompts, generated, guided, strict=True
            )
        ]

    def _matcher(self, request: Request) -> LLMatcher | None:
        if request.grammar is None:
            return None
        return LLMatcher(self._grammar_tokenizer, request.grammar, log_level=0, limits=_LIMITS)

    def _read_answer(self, identifier: str, tokens: list[int], guided: GuidedAnswer) -> Answer:
        count = tokens.index(self._end)  # The guide ends every answer.
        pieces = []
        raw = b""
        for token, log in zip(tokens[:count], guided.log_probabilities, strict=True):
            spelt = self._grammar_tokenizer.decode_bytes([token])
            pieces.append(TokenPiece(len(raw), len(raw) + len(spelt), log))
            raw += spelt
        if guided.lines is not None:
            if not guided.given_up:
                guided.lines.close()
            if guided.lines.kept is not None:
                raw = raw[: guided.lines.kept]
                pieces = [
                    replace(piece, end=min(piece.end, len(raw)))
                    for piece in pieces
                    if piece.start < len(raw)
                ]
        return Answer(
            identifier,
            raw.decode("utf-8", errors="replace"),
            not guided.given_up,
            pieces,
            # The end that the guide forces on an answer is no token of it.
            answer_tokens=count + (not guided.given_up),
            problem=NOT_FINITE if guided.not_finite else None,
        )


@contextmanager
def _reporting_errors(name: str) -> Iterator[None]:
    """Turn errors of a model's code into a ConfigurationError, except for a lack of GPU memory."""
    import torch

    def unusable(location: str) -> ConfigurationError:
        return ConfigurationError(
            [
                f"model (model = {name}): it cannot be run ({location}). Its configuration or its"
                " tokenizer is damaged, or does not fit its weights. Copy the model again."
            ]
        )

    out_of_memory: torch.OutOfMemoryError | None = None
    with foreign_errors(unusable):
        try:
            yield
        except torch.OutOfMemoryError as error:
            out_of_memory = error
    if out_of_memory is not None:
        raise out_of_memory
