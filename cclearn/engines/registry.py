"""Engines by the names that commands take, with their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cclearn.engines.answer_file import default_answer_file
from cclearn.engines.base import Engine
from cclearn.errors import ConfigurationError, did_you_mean

SCHEMES = ("openai", "replay", "vllm")
"""What stands before the colon in the names of models that transformers does not run."""


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


def scheme_of(model: str) -> str | None:
    """Return the engine that a model's name begins with, None for a folder or a name on the hub."""
    scheme, colon, rest = model.partition(":")
    if not colon or Path(model).exists():
        return None
    if scheme in SCHEMES and rest:
        return scheme
    # "C:\\model" is a folder that is missing, and no name on the hub has a colon.
    raise ConfigurationError(
        [
            f"model (model = {model}): there is no engine {scheme}. Use lexicon, openai:NAME,"
            " replay:FILE, vllm:MODEL, a folder that a recipe wrote, or a model on the hub."
        ]
    )


def weights_of(model: str) -> str:
    """Return the folder or the name on the hub in a model's name: what follows `vllm:`, or all of it."""
    return model.removeprefix("vllm:") if scheme_of(model) == "vllm" else model


def refuse_missing(model: str) -> None:
    """Raise ConfigurationError for a model that can be seen to be missing, without asking the hub.

    Args:
        model: `lexicon`, or what `load_engine` takes.
    """
    if model == "lexicon" or Path(model).is_dir():
        return
    scheme = scheme_of(model)
    if scheme == "replay" and not Path(model.partition(":")[2]).is_file():
        raise ConfigurationError([f"model (model = {model}): there is no such file."])
    weights = weights_of(model)
    if scheme in ("openai", "replay") or Path(weights).is_dir():
        return
    # The hub's names are OWNER/NAME; the folder of runs here is no owner.
    parts = Path(weights).parts
    if len(parts) != 2 or weights[0] in "./~" or Path(parts[0]).is_dir():
        hint = did_you_mean(model, ["lexicon"])
        raise ConfigurationError(
            [
                f"model (model = {model}): there is no such folder.{hint} Name lexicon, a folder that a"
                " recipe wrote, OWNER/NAME on the hub, vllm: before either, openai:NAME or replay:FILE."
            ]
        )


def load_engine(model: str, settings: EngineSettings | None = None) -> Engine:
    """Return the engine that a name stands for, with its cache.

    Args:
        model: `openai:NAME`, `replay:FILE`, a folder that a recipe wrote, or a name on the hub; `vllm:`
            before one of the last two has vLLM run it.
        settings: Of the engine.

    Raises:
        ConfigurationError: There is no such model, or no key for a server.
        DataError: A file of answers is not what it should be.
    """
    if model == "lexicon":
        raise ConfigurationError(
            [
                "model (model = lexicon): it is no language model. Use Coder.lexicon() or Coder.named()."
            ]
        )
    refuse_missing(model)
    settings = settings or EngineSettings()
    scheme = scheme_of(model)
    engine = _bare(model, scheme, settings)
    path = settings.cache
    if path == Path("auto"):
        path = default_answer_file() if scheme == "openai" else Path("off")
    if path == Path("off") or scheme == "replay":
        return engine
    from cclearn.engines.cache import CachedEngine

    return CachedEngine(engine, path)


def _bare(model: str, scheme: str | None, settings: EngineSettings) -> Engine:
    rest = model.partition(":")[2]
    if scheme == "replay":
        from cclearn.engines.replay import ReplayEngine

        return ReplayEngine(Path(rest))
    if scheme == "openai":
        from cclearn.engines.openai import Budget, OpenAIEngine

        price = {"prompt": settings.prompt_price, "answer": settings.answer_price}
        return OpenAIEngine(
            rest,
            base_url=settings.base_url,
            concurrency=settings.concurrency,
            retries=settings.retries,
            timeout=settings.timeout,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            constraint=settings.constraint,
            log_probabilities=settings.log_probabilities,
            budget=Budget(settings.seconds, settings.tokens, settings.cost, price),
            send_restricted=settings.send_restricted,
            may_send_restricted=settings.may_send_restricted,
            trust_name=settings.cache != Path("auto"),
        )
    if scheme == "vllm":
        from cclearn.engines.vllm import VLLMEngine

        return VLLMEngine.load(
            rest,
            max_new_tokens=settings.max_new_tokens,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            tensor_parallel_size=settings.tensor_parallel_size,
        )
    from cclearn.engines.local import LocalEngine

    return LocalEngine.load(
        model, batch_size=settings.batch_size, max_new_tokens=settings.max_new_tokens
    )
