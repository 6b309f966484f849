"""Stops a run whose model is damaged, which shows in scores that are not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cclearn.errors import CclearnError

T = TypeVar("T")

_MAX_CONSECUTIVE = 3
"""Number of consecutive failures that the notes cannot explain."""


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
    count = in_a_row = 0
    for result in results:
        count += 1
        in_a_row = in_a_row + 1 if is_not_finite(result) else 0
        if in_a_row >= _MAX_CONSECUTIVE:
            raise _damaged(name, in_a_row)
        yield result
    if 0 < in_a_row == count:
        raise _damaged(name, in_a_row)


def _damaged(name: str, count: int) -> CclearnError:
    return CclearnError(
        f"model (model = {name}): its scores are not finite (NaN or infinite), or the same for every"
        f" token, {count} times in a row: its weights are damaged. Copy the model again, or train it"
        " again."
    )
