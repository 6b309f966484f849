"""Settings of engines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EngineSettings(BaseModel):
    """Settings of engines; each takes those that concern it.

    `batch_size` is of local models, `gpu_memory_utilization` and `tensor_parallel_size` are of vLLM. The
    others are of servers (`cclearn.engines.openai`); `prompt_price` and `answer_price` are of a million
    tokens. Answers of servers are kept in `cache`: a file, `off`, or `auto`, which is `answers.sqlite`
    in the cache folder, for servers that say which weights they run; those of models on this machine
    only in a named file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(default=32, ge=1)
    max_new_tokens: int = Field(default=1024, ge=1)
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    tensor_parallel_size: int = Field(default=1, ge=1)
    base_url: str | None = None
    concurrency: int = Field(default=16, ge=1)
    retries: int = Field(default=5, ge=0)
    timeout: float = Field(default=120.0, gt=0)
    temperature: float | None = Field(default=0.0, ge=0)
    constraint: Literal["none", "json", "grammar"] = "none"
    log_probabilities: bool = False
    seconds: float | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, gt=0)
    prompt_price: float = Field(default=0.0, ge=0)
    answer_price: float = Field(default=0.0, ge=0)
    send_restricted: bool = False
    may_send_restricted: bool = False
    cache: Path = Path("auto")
