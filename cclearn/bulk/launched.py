"""The processes of `accelerate launch`, and what the first tells the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from cclearn.errors import CclearnError

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Place:
    """A process's place among those of the run.

    Attributes:
        rank: From 0.
        processes: How many there are.
    """

    rank: int = 0
    processes: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that begins and ends the run."""
        return self.rank == 0


def place_among_processes() -> Place:
    """Return this process's place; on a machine with GPUs it is given its own at the first call."""
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        return Place()  # Without torch, which the lexicon does not need.
    from cclearn.processes import process_state

    state = process_state()
    return Place(state.process_index, state.num_processes)


def from_the_first(place: Place, produce: Callable[[], Told]) -> Told:
    """Return in every process what the first one makes; it alone tells of an error.

    Raises:
        CclearnError: In the first process, as `produce` does. The others leave with exit code 2.
    """
    if place.processes == 1:
        return produce()
    from accelerate.utils import broadcast_object_list

    told: list[Any] = [None]
    if place.first:
        try:
            told = [produce()]
        except (CclearnError, OSError):
            broadcast_object_list(told)
            raise
    broadcast_object_list(told)
    if told[0] is None:
        sys.exit(2)
    return told[0]  # type: ignore[no-any-return]
