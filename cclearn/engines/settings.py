"""Settings of engines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

ContextSetting = Literal["trained", "model"]
"""A context that is not given as a number: that of the rows of the training, or that of the model."""


class EngineSettings(BaseModel):
    """Settings of all engines. Each engine uses the ones that apply to it.

    Attributes:
        batch_size: Number of requests that a local model decodes together.
        max_new_tokens: Maximum number of tokens of an answer. None for a limit that grows with the
            length of the note (`cclearn.engines.read_ahead.answer_budget`), and for 1,024 on a server.
        context: Maximum number of tokens of a note's prompt with its answer, by which local models and
            vLLM split a note into windows. `trained` is the length of the rows that the model was
            trained on, or that of the model if its folder does not record any. `model` is the longest
            that the model supports.
        quantise: `nf4` stores the matrices of a local model in 4 bits. None leaves them.
        dtype: Number format of a local model. `auto` is that of its files, or `float32` on a CPU without
            instructions for bf16.
        device_map: `auto` spreads a local model over all GPUs of this machine, and what they cannot hold
            over its main memory. None loads it onto one GPU.
        chat_template: Chat template of a model on this machine that has none: the path of a Jinja file,
            or `chatml`, `gemma` or `llama3` (`cclearn.prompts.template_choice`).
        gpu_memory_utilization: Fraction of each GPU's memory that vLLM takes.
        tensor_parallel_size: Number of GPUs that vLLM spreads a model over.
        base_url: Base URL of a server; None for `OPENAI_BASE_URL`, or OpenAI's if that is not set.
        concurrency: Maximum number of simultaneous requests to a server.
        retries: Number of further attempts after a request to a server has failed.
        timeout: Time limit of a request to a server, in seconds.
        temperature: Sampling temperature of a server; None to send no temperature.
        constraint: How a server constrains the form of an answer.
        service_tier: Processing tier of OpenAI's server. `flex` halves the price, and may take minutes:
            raise `timeout`. None sends none, as most servers expect.
        log_probabilities: Whether a server returns log-probabilities, which scores need.
        seconds: Time limit of a run on a server, in seconds.
        tokens: Maximum number of tokens of a run on a server, read and written.
        cost: Maximum cost of a run on a server, by the prices below.
        prompt_price: Price of a million tokens of prompts.
        answer_price: Price of a million tokens of answers.
        send_restricted: First permission to send restricted text to another machine.
        may_send_restricted: Second permission: the user has the right to send restricted text.
        cache: File that answers are cached in; `off`; or `auto`, which caches the answers of servers
            that report their weights, in `answers.sqlite` of the cache folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(default=32, ge=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    context: Annotated[int, Field(ge=1)] | ContextSetting = "trained"
    quantise: Literal["nf4"] | None = None
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    device_map: Literal["auto"] | None = None
    chat_template: str | None = None
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    tensor_parallel_size: int = Field(default=1, ge=1)
    base_url: str | None = None
    concurrency: int = Field(default=16, ge=1)
    retries: int = Field(default=5, ge=0)
    timeout: float = Field(default=120.0, gt=0)
    temperature: float | None = Field(default=0.0, ge=0)
    constraint: Literal["none", "json", "grammar"] = "none"
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    log_probabilities: bool = False
    seconds: float | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, gt=0)
    prompt_price: float = Field(default=0.0, ge=0)
    answer_price: float = Field(default=0.0, ge=0)
    send_restricted: bool = False
    may_send_restricted: bool = False
    cache: Path = Path("auto")

    @field_validator("base_url")
    @classmethod
    def _has_no_password(cls, url: str | None) -> str | None:
        # The settings are written to manifests.
        if url is not None and "@" in urlsplit(url).netloc:
            raise ValueError("it has a user or a password. Set OPENAI_API_KEY instead")
        return url


def variant_of(**settings: object) -> str:
    """Return the settings that differ from their defaults, as `key=value`, in the given order."""
    fields = EngineSettings.model_fields
    changed = (key for key, value in settings.items() if value != fields[key].default)
    return " ".join(f"{key}={settings[key]}" for key in changed)
