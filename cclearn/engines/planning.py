"""Counting and collecting the requests of a command, without asking a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cclearn.engines.base import Answer, Engine, Request
from cclearn.engines.cache import CachedEngine

if TYPE_CHECKING:
    from cclearn.engines.settings import EngineSettings

PLANNED = "planned"
"""The problem of an answer to a request that was only planned."""

_CHARACTERS_PER_TOKEN = 4
"""Characters of English prose for each token, about."""

_ANSWER_TOKENS = 256
"""Tokens that an answer is estimated to have, unless the largest number is smaller."""


@dataclass(slots=True)
class Plan:
    """The requests of a command.

    Attributes:
        take: Function that receives each new request with the engine that it is for. None counts only.
        requests: Number of new requests.
        known: Number of requests whose answers are in the cache.
        prompt_tokens: Estimated number of tokens in the prompts of the new requests.
        answer_tokens: Estimated number of tokens in their answers.
        cost: Estimated cost by the prices of the settings.
    """

    take: Callable[[Request, Engine], None] | None = None
    requests: int = 0
    known: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0.0

    def add(self, request: Request, engine: Engine, settings: EngineSettings) -> None:
        """Count a new request, and pass it on."""
        if self.take is not None:
            self.take(request, engine)
        characters = sum(len(turn["content"]) for turn in request.prompt)
        prompt = -(-characters // _CHARACTERS_PER_TOKEN)
        answer = min(_ANSWER_TOKENS, settings.max_new_tokens or _ANSWER_TOKENS)
        self.requests += 1
        self.prompt_tokens += prompt
        self.answer_tokens += answer
        price = settings.prompt_price * prompt + settings.answer_price * answer
        self.cost += price / 1e6


class PlannedEngine(Engine):
    """Answers from the cache, and adds all other requests to a plan.

    Args:
        engine: Engine that would answer.
        settings: Settings of the engine.
        plan: Plan that receives the requests.
    """

    def __init__(self, engine: Engine, settings: EngineSettings, plan: Plan) -> None:
        self._engine = engine
        self._settings = settings
        self._plan = plan
        self.name = engine.name
        self.grounded = engine.grounded
        self.variant = engine.variant

    def fits(self, request: Request) -> bool:
        """Return whether the context has room for a prompt and an answer."""
        return self._engine.fits(request)

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the cached answer to each request, or one with the problem `planned`."""
        cache = self._engine if isinstance(self._engine, CachedEngine) else None
        identity = self._engine.identity if cache is not None else ""
        for request in requests:
            known = cache.known(request, identity) if cache is not None else None
            if known is None:
                self._plan.add(request, self._engine, self._settings)
                yield Answer(request.id, "", problem=PLANNED)
            else:
                self._plan.known += 1
                yield known


_current: ContextVar[Plan | None] = ContextVar("cclearn_plan", default=None)


@contextmanager
def planning(plan: Plan) -> Iterator[None]:
    """Let `load_engine` return engines that add their requests to a plan instead of asking a model."""
    token = _current.set(plan)
    try:
        yield
    finally:
        _current.reset(token)


def only_counts() -> bool:
    """Return whether the requests of a command are only counted, so that no server is asked."""
    plan = _current.get()
    return plan is not None and plan.take is None


def planned(engine: Engine, settings: EngineSettings) -> Engine:
    """Return an engine that adds its requests to the current plan, or the engine without a plan.

    Args:
        engine: The engine.
        settings: Settings of the engine.
    """
    plan = _current.get()
    return engine if plan is None else PlannedEngine(engine, settings, plan)
