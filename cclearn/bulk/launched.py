"""The processes of `accelerate launch`, and what the first tells the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

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


def is_one_of_several() -> bool:
    """Say whether a launcher has started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_the_first() -> bool:
    """Say whether this is the first process of a launcher, or has none."""
    return int(os.environ.get("RANK", "0")) == 0


def place_among_processes() -> Place:
    """Return this process's place; on a machine with GPUs it is given its own at the first call."""
    if not is_one_of_several():
        return Place()  # Without torch, which the lexicon does not need.
    from cclearn.runtime.processes import process_state

    state = process_state()
    return Place(state.process_index, state.num_processes)


def from_the_first(place: Place, produce: Callable[[], Told]) -> Told:
    """Return in every process what the first one makes.

    Where that raises, the first process alone tells of it; the others leave with exit code 2.
    """
    if place.processes == 1:
        return produce()
    from accelerate.utils import broadcast_object_list

    told: list[Told | None] = [None]
    try:
        if place.first:
            told = [produce()]
    finally:
        broadcast_object_list(told)
    if told[0] is None:
        sys.exit(2)
    return told[0]


def leave(place: Place) -> None:
    """Part from the other processes; one that just ended would be aborted now and then."""
    if place.processes > 1:
        from cclearn.runtime.processes import process_state

        process_state().destroy_process_group()
