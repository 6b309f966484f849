"""A model that vLLM runs on GPUs of this machine, with answers constrained by llguidance."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

from cclearn.engines.base import Answer, Request, TokenPiece
from cclearn.engines.read_ahead import ReadAheadEngine, coding_context, tokenizer_and_hash
from cclearn.engines.settings import variant_of
from cclearn.engines.vocabulary import grammar_vocabulary
from cclearn.errors import ConfigurationError, DataError, NoteError
from cclearn.gguf_files import model_folder
from cclearn.models import adapter_base, refuse_damaged_files
from cclearn.prompts.encoding import encode_prompt, end_of_turn, pin_tokenizer
from cclearn.runtime.parsing import read_json

if TYPE_CHECKING:
    from llguidance import LLTokenizer
    from transformers import PreTrainedTokenizerBase

    from cclearn.engines.settings import ContextSetting, EngineSettings

_CHUNK_SIZE = 1_024
"""Number of requests that are passed to vLLM together. vLLM batches them as its memory allows."""

_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    # vLLM must run in this process, so that its errors and log messages can be handled.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "LLGUIDANCE_LOG_LEVEL": "0",
}
"""Environment variables of vLLM, which are set unless the user has set them."""

_LOGGERS = ("vllm.v1.structured_output", "vllm.logging_utils.dump_input")
"""Loggers whose messages quote a grammar, which contains the note."""


class VLLMEngine(ReadAheadEngine):
    """Greedy decoding with vLLM 0.33 or later, with continuous batching and prefix caching.

    vLLM leaves the limits of llguidance at their defaults. A grammar that reaches a limit truncates the
    answer, and the parser counts the incomplete line.

    Args:
        llm: A `vllm.LLM` with the backend `guidance`, `processed_logprobs`, and a tokenizer whose
            end-of-sequence token ends an answer. `load` creates one.
        tokenizer: Tokenizer of the model, with a chat template.
        adapter: A `vllm.lora.request.LoRARequest`; None for a model without an adapter.
        max_new_tokens: Maximum number of tokens of an answer. None for `answer_budget` of the prompt.
        context: Maximum number of tokens of a note's prompt with its answer. None for the context of the
            model.
        gpus: Number of GPUs that the model takes.
        name: Name of the model in reports.
        model_sha256: Hash of the model's files (`cclearn.models.model_hash`); empty if there are none.

    Raises:
        ConfigurationError: The tokenizer does not fit the model (`cclearn.engines.vocabulary`).
    """

    needs_gpu = True
    grounded = True
    _runner = "vllm"

    def __init__(
        self,
        llm: Any,
        tokenizer: PreTrainedTokenizerBase,
        *,
        adapter: Any = None,
        max_new_tokens: int | None = None,
        context: int | None = None,
        gpus: int = 1,
        name: str = "vllm",
        model_sha256: str = "",
    ) -> None:
        from llguidance.hf import from_tokenizer

        self.name = name
        self._model_sha256 = model_sha256
        self.llm = llm
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens
        self.context = context
        self.chunk_size = _CHUNK_SIZE
        self._adapter = adapter
        self._gpus = gpus
        size = llm.model_config.get_vocab_size()
        vocabulary = grammar_vocabulary(tokenizer, size, size, name)
        self._spelling: LLTokenizer = from_tokenizer(
            tokenizer, n_vocab=vocabulary, eos_token=end_of_turn(tokenizer)
        )

    @classmethod
    def from_name(cls, target: str, settings: EngineSettings) -> VLLMEngine:
        """Load a model from a folder or the hub."""
        return cls.load(
            target,
            max_new_tokens=settings.max_new_tokens,
            context=settings.context,
            chat_template=settings.chat_template,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            tensor_parallel_size=settings.tensor_parallel_size,
        )

    @classmethod
    def gpus(cls, settings: EngineSettings) -> int:
        """Return how many GPUs the model is spread over."""
        return settings.tensor_parallel_size

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        *,
        max_new_tokens: int | None = None,
        context: int | ContextSetting = "trained",
        chat_template: str | None = None,
        gpu_memory_utilization: float = 0.9,
        tensor_parallel_size: int = 1,
    ) -> VLLMEngine:
        """Load a model from a folder or the hub, safetensors only, or an adapter with its base model.

        Args:
            name_or_path: Folder that a recipe wrote, or name on the hub.
            max_new_tokens: Maximum number of tokens of an answer. None for `answer_budget` of the
                prompt.
            context: The setting `context` of `EngineSettings`.
            chat_template: Chat template for a model that has none
                (`cclearn.prompts.template_choice`).
            gpu_memory_utilization: Fraction of each GPU's memory that vLLM takes.
            tensor_parallel_size: Number of GPUs that the model is spread over.

        Raises:
            ConfigurationError: vLLM is missing, there is no model of that name, or vLLM cannot run it.
        """
        name = str(name_or_path)
        tokenizer, digest = tokenizer_and_hash(name, chat_template)
        base = adapter_base(Path(name))
        model, revision = base or (name, None)
        for key, value in _ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        try:
            from vllm import LLM
            from vllm.config.lora import MaxLoRARanks
            from vllm.exceptions import VLLMError
            from vllm.lora.request import LoRARequest
        except ImportError as error:
            raise ConfigurationError(
                [f"model (vllm): vLLM cannot be imported: {error}. Install cclearn[vllm]."]
            ) from None
        refuse_damaged_files(name)
        options = _adapter_options(Path(name), get_args(MaxLoRARanks)) if base else {}
        for logger in _LOGGERS:
            logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
        # vLLM ends an answer and a grammar only at the tokenizer's end-of-sequence token, which differs
        # from the end-of-turn token of some chat templates.
        pin_tokenizer(tokenizer)
        try:
            with TemporaryDirectory(prefix="cclearn-tokenizer-") as folder:
                tokenizer.save_pretrained(folder)
                llm = LLM(
                    model_folder(model),
                    revision=revision,
                    tokenizer=folder,
                    trust_remote_code=False,
                    load_format="safetensors",
                    generation_config="vllm",  # Not that of the model's chats.
                    max_model_len=-1,  # The longest context that fits into memory.
                    structured_outputs_config={"backend": "guidance"},
                    logprobs_mode="processed_logprobs",  # Log-probabilities under the grammar.
                    gpu_memory_utilization=gpu_memory_utilization,
                    tensor_parallel_size=tensor_parallel_size,
                    **options,
                )
            adapter = LoRARequest(Path(name).name, 1, str(Path(name).resolve())) if base else None
            if adapter is not None:
                llm.llm_engine.add_lora(adapter)  # This reports an unsupported adapter at once.
        except (OSError, ValueError, RuntimeError, VLLMError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigurationError(
                [f"model (model = {name}): vLLM cannot run it: {reason} Load it without vllm:."]
            ) from None
        engine = cls(
            llm,
            tokenizer,
            adapter=adapter,
            max_new_tokens=max_new_tokens,
            context=coding_context(name, context),
            gpus=tensor_parallel_size,
            name=Path(name).name,
            model_sha256=digest,
        )
        engine.variant = variant_of(context=context)
        return engine

    def _context(self) -> int:
        return int(self.llm.model_config.max_model_len)

    def _answer_chunk(self, requests: list[Request]) -> Iterator[Answer]:
        from vllm.exceptions import VLLMClientError

        prompts = [encode_prompt(self.tokenizer, request.prompt) for request in requests]
        context = self._context()
        fitting = [index for index, prompt in enumerate(prompts) if len(prompt) < context]
        started = time.perf_counter()
        try:
            outputs = self.llm.generate(
                [{"prompt_token_ids": prompts[index]} for index in fitting],
                [self._sampling(requests[index], len(prompts[index])) for index in fitting],
                use_tqdm=False,
                lora_request=self._adapter,
            )
        except VLLMClientError as error:
            # The message would quote the grammar, which contains the note.
            raise NoteError(
                f"notes (ids = {requests[0].id} to {requests[-1].id}): vLLM does not take one of them"
                f" ({type(error).__name__}). Code them without vllm:."
            ) from None
        seconds = self._gpus * (time.perf_counter() - started) / max(1, len(fitting))
        answers = {
            index: self._read(requests[index].id, len(prompts[index]), output.outputs[0], seconds)
            for index, output in zip(fitting, outputs, strict=True)
        }
        for index, request in enumerate(requests):
            too_long = Answer(
                request.id, "", prompt_tokens=len(prompts[index]), problem="exceeds_context"
            )
            yield answers.get(index, too_long)

    def _sampling(self, request: Request, prompt_tokens: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        grammar = request.grammar
        return SamplingParams(
            temperature=0.0,
            max_tokens=self._limit(request, prompt_tokens),
            logprobs=0,  # Only that of the chosen token.
            detokenize=False,
            structured_outputs=None
            if grammar is None
            else StructuredOutputsParams(grammar=grammar),
        )

    def _read(self, identifier: str, prompt_tokens: int, output: Any, seconds: float) -> Answer:
        ended = output.finish_reason == "stop"
        problem = None if ended or output.finish_reason == "length" else "vllm_error"
        tokens = list(output.token_ids)
        pieces = []
        raw = b""
        scored = zip(tokens[:-1] if ended else tokens, output.logprobs or (), strict=False)
        for token, logs in scored:
            spelt = self._spelling.decode_bytes([token])
            pieces.append(TokenPiece(len(raw), len(raw) + len(spelt), logs[token].logprob))
            raw += spelt
        text = raw.decode("utf-8", errors="replace")
        return Answer(identifier, text, ended, pieces, prompt_tokens, len(pieces), seconds, problem)


def _adapter_options(folder: Path, ranks: Sequence[int]) -> dict[str, Any]:
    settings = read_json(folder / "adapter_config.json")
    try:
        rank = max([int(settings["r"]), *(settings.get("rank_pattern") or {}).values()])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(folder / "adapter_config.json", "it names no rank", field="r") from None
    room = [size for size in ranks if size >= rank]
    if settings.get("use_dora") or not room:
        what = "DoRA" if settings.get("use_dora") else f"a rank of {rank}"
        raise ConfigurationError(
            [
                f"model (model = {folder}): vLLM cannot run {what}. Write a merged model with `cclearn"
                " merge`, and name that."
            ]
        )
    return {"enable_lora": True, "max_lora_rank": min(room)}
