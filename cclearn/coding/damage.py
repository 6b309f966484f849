"""Stopping a run whose model is damaged: its scores are not finite for one note after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cclearn.errors import CclearnError

T = TypeVar("T")

_SEVERAL = 3
"""So many failures in a row are no matter of the notes."""


def stop_if_damaged(
    results: Iterable[T], is_not_finite: Callable[[T], bool], name: str
) -> Iterator[T]:
    """Pass results on until they show that the model is damaged.

    Args:
        results: The results of the model, in order.
        is_not_finite: Says whether the problem of a result is `cclearn.engines.base.NOT_FINITE`.
        name: The model, for the message.

    Raises:
        CclearnError: Several results in a row are not finite; or, at the end, all of them.
    """
    count = in_a_row = 0
    for result in results:
        count += 1
        in_a_row = in_a_row + 1 if is_not_finite(result) else 0
        if in_a_row >= _SEVERAL:
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
