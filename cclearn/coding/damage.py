"""Stops a run whose model is damaged, which shows in scores that are not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cclearn.errors import CclearnError

T = TypeVar("T")

_DAMAGED_AFTER = 3
"""Number of consecutive results without finite scores that shows that the model is damaged."""


def stop_if_damaged(
    results: Iterable[T], is_not_finite: Callable[[T], bool], name: str
) -> Iterator[T]:
    """Yield results until they show that the model is damaged.

    Args:
        results: Results of the model, in order.
        is_not_finite: Function that returns whether the scores of a result are not finite.
        name: Name of the model, for the message.

    Raises:
        CclearnError: Several consecutive results, or all results, are not finite.
    """
    count = consecutive = 0
    for result in results:
        count += 1
        consecutive = consecutive + 1 if is_not_finite(result) else 0
        if consecutive >= _DAMAGED_AFTER:
            raise _damage_error(name, consecutive)
        yield result
    if 0 < consecutive == count:
        raise _damage_error(name, consecutive)


def _damage_error(name: str, count: int) -> CclearnError:
    return CclearnError(
        f"model (model = {name}): its scores are not finite (NaN or infinite), or the same for every"
        f" token, {count} times in a row: its weights are damaged. Copy the model again, or train it"
        " again."
    )
