"""The limits of a run on a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a run; None for no limit. Requests beyond a limit have the problem `budget`.

    Attributes:
        seconds: Maximum time after the first request, in seconds.
        tokens: Maximum number of tokens in prompts and answers.
        cost: Maximum cost by the price.
        price: Price of a million tokens, by the keys `prompt` and `answer`.
    """

    seconds: float | None = None
    tokens: int | None = None
    cost: float | None = None
    price: Mapping[str, float] = field(default_factory=dict)

    def exceeded(self, seconds: float, prompt_tokens: int, answer_tokens: int) -> bool:
        """Return whether the run has reached a limit."""
        cost = self.price.get("prompt", 0.0) * prompt_tokens
        cost += self.price.get("answer", 0.0) * answer_tokens
        return (
            (self.seconds is not None and seconds >= self.seconds)
            or (self.tokens is not None and prompt_tokens + answer_tokens >= self.tokens)
            or (self.cost is not None and cost / 1e6 >= self.cost)
        )
