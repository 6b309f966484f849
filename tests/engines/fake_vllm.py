"""What the engine uses of vLLM 0.33.0, with its names, signatures and checks, over transformers.

Tokens are chosen one by one with llguidance's plain matcher: a second implementation of what
`LocalEngine` does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import llguidance
import numpy as np
import pytest
import torch
from llguidance.hf import from_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

MaxLoRARanks = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]


class VLLMError(Exception):
    """`vllm.exceptions`."""


class VLLMClientError(VLLMError):
    """`vllm.exceptions`."""


class VLLMValidationError(VLLMClientError):
    """`vllm.exceptions`."""


@dataclass
class StructuredOutputsParams:
    """`vllm.sampling_params`, as far as it is used."""

    grammar: str | None = None


@dataclass
class SamplingParams:
    """`vllm`, as far as it is used."""

    temperature: float = 1.0
    max_tokens: int | None = 16
    logprobs: int | None = None
    detokenize: bool = True
    structured_outputs: StructuredOutputsParams | None = None


@dataclass
class LoRARequest:
    """`vllm.lora.request`."""

    lora_name: str
    lora_int_id: int
    lora_path: str = ""
    base_model_name: str | None = None
    load_inplace: bool = False

    def __post_init__(self) -> None:
        assert self.lora_int_id >= 1
        assert self.lora_path


@dataclass
class Made:
    """What tests look at: how models were loaded, and how many requests came together."""

    loaded: list[dict[str, Any]] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)


MADE = Made()


class LLM:
    """`vllm.LLM`."""

    def __init__(
        self,
        model: str,
        *,
        tokenizer: str | None = None,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        revision: str | None = None,
        gpu_memory_utilization: float = 0.92,
        structured_outputs_config: dict[str, Any] | None = None,
        # These are of EngineArgs.
        load_format: str = "auto",
        max_model_len: int | None = None,
        logprobs_mode: str = "raw_logprobs",
        enable_lora: bool = False,
        max_lora_rank: int = 16,
        generation_config: str = "auto",
    ) -> None:
        if "broken" in model:
            raise RuntimeError("Engine core initialization failed.\nSee the stack above.")
        MADE.loaded.append({**locals(), "self": None})
        self._model: Any = AutoModelForCausalLM.from_pretrained(model).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(tokenizer or model)
        config = self._model.config
        self._backend = (structured_outputs_config or {}).get("backend", "auto")
        self._processed = logprobs_mode == "processed_logprobs"
        self._lora = (enable_lora, max_lora_rank)
        self.model_config = SimpleNamespace(
            max_model_len=config.max_position_embeddings,
            get_vocab_size=lambda: int(config.vocab_size),
        )
        self.llm_engine = SimpleNamespace(add_lora=self._add_lora)

    def _add_lora(self, lora_request: LoRARequest) -> bool:
        from peft import PeftConfig, PeftModel

        enabled, rank = self._lora
        settings: Any = PeftConfig.from_pretrained(lora_request.lora_path)
        if not enabled or settings.r > rank:
            raise ValueError(f"LoRA rank {settings.r} is greater than max_lora_rank {rank}.")
        if settings.modules_to_save:
            raise ValueError("vLLM only supports modules_to_save being None.")
        self._adapted: Any = PeftModel.from_pretrained(self._model, lora_request.lora_path).eval()
        return True

    def generate(
        self,
        prompts: list[dict[str, list[int]]],
        sampling_params: list[SamplingParams] | None = None,
        *,
        use_tqdm: bool = True,
        lora_request: LoRARequest | None = None,
    ) -> list[Any]:
        assert sampling_params is not None
        assert len(prompts) == len(sampling_params)
        assert not use_tqdm
        MADE.windows.append(len(prompts))
        for params in sampling_params:
            if params.structured_outputs is not None:
                self._validate(params.structured_outputs)
        model = self._model
        if self._lora[0]:
            model = self._adapted
            if lora_request is None:
                with model.disable_adapter():
                    return self._outputs(model, prompts, sampling_params)
        return self._outputs(model, prompts, sampling_params)

    def _outputs(self, model: Any, prompts: Any, sampling: list[SamplingParams]) -> list[Any]:
        return [
            SimpleNamespace(outputs=[self._complete(model, prompt["prompt_token_ids"], params)])
            for prompt, params in zip(prompts, sampling, strict=True)
        ]

    def _validate(self, asked: StructuredOutputsParams) -> None:
        assert self._backend == "guidance"
        assert asked.grammar is not None
        grammar = llguidance.grammar_from("grammar", asked.grammar)
        if error := llguidance.LLMatcher.validate_grammar(grammar, None):
            raise VLLMValidationError(f"Grammar error: {error}")

    @torch.inference_mode()
    def _complete(self, model: Any, prompt: list[int], params: SamplingParams) -> Any:
        context = self.model_config.max_model_len
        if len(prompt) >= context:
            raise VLLMValidationError(f"The prompt ({len(prompt)}) is longer than {context}.")
        assert params.temperature == 0
        assert params.logprobs == 0
        assert self._processed
        matcher = None
        if params.structured_outputs is not None:
            # The tokenizer's end of sequence alone ends a grammar.
            vocabulary = max(len(self._tokenizer), self.model_config.get_vocab_size())
            spelling = from_tokenizer(self._tokenizer, vocabulary)
            grammar = llguidance.grammar_from("grammar", params.structured_outputs.grammar or "")
            matcher = llguidance.LLMatcher(spelling, grammar)
        tokens: list[int] = []
        logprobs: list[dict[int, Any]] = []
        reason = "length"
        while len(tokens) < (params.max_tokens or 16) and len(prompt) + len(tokens) < context:
            logits = model(input_ids=torch.tensor([prompt + tokens])).logits[0, -1].float()
            if matcher is not None:
                allowed = np.frombuffer(matcher.compute_logit_bias(), dtype=np.uint8) > 0
                logits[~torch.from_numpy(allowed)[: len(logits)]] = float("-inf")
            token = int(logits.argmax())
            tokens.append(token)
            chosen = float(logits.log_softmax(-1)[token])
            logprobs.append({token: SimpleNamespace(logprob=chosen, rank=1, decoded_token=None)})
            if token == self._tokenizer.eos_token_id:
                reason = "stop"  # The token stays, as in vLLM.
                break
            if matcher is not None:
                matcher.consume_token(token)
        assert not params.detokenize
        return SimpleNamespace(text="", token_ids=tokens, logprobs=logprobs, finish_reason=reason)


def install(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Put the modules where `import vllm` finds them."""
    modules: dict[str, dict[str, Any]] = {
        "vllm": {"LLM": LLM, "SamplingParams": SamplingParams},
        "vllm.config": {},
        "vllm.config.lora": {"MaxLoRARanks": MaxLoRARanks},
        "vllm.exceptions": {"VLLMClientError": VLLMClientError, "VLLMError": VLLMError},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": LoRARequest},
        "vllm.sampling_params": {"StructuredOutputsParams": StructuredOutputsParams},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    for variable in ("VLLM_NO_USAGE_STATS", "VLLM_ENABLE_V1_MULTIPROCESSING"):
        monkeypatch.delenv(variable, raising=False)
    MADE.loaded.clear()
    MADE.windows.clear()
    return MADE
