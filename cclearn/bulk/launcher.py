"""The processes that `accelerate launch` starts, and messages from the first one to the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LaunchedProcess:
    """One process of a run.

    Attributes:
        rank: Number of the process, from 0.
        count: Number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that begins and ends the run."""
        return self.rank == 0


def has_several_processes() -> bool:
    """Return whether a launcher has started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first_process() -> bool:
    """Return whether this is the first process of a launcher, or was started without one."""
    return int(os.environ.get("RANK", "0")) == 0


def current_process() -> LaunchedProcess:
    """Return this process. On a machine with GPUs, the first call assigns a GPU to it."""
    if not has_several_processes():
        return LaunchedProcess()  # This does not import torch, which the lexicon does not need.
    from cclearn.runtime.processes import process_state

    state = process_state()
    return LaunchedProcess(state.process_index, state.num_processes)


def broadcast_from_first(process: LaunchedProcess, produce: Callable[[], T]) -> T:
    """Return the result of a function in every process, after calling it in the first one only.

    If the function raises, only the first process reports the error. The others exit with code 2.

    Args:
        process: This process.
        produce: Function that the first process calls.
    """
    if process.count == 1:
        return produce()
    from accelerate.utils import broadcast_object_list

    result: list[T | None] = [None]
    try:
        if process.is_first:
            result = [produce()]
    finally:
        broadcast_object_list(result)
    if result[0] is None:
        sys.exit(2)
    return result[0]


def leave_group_of(process: LaunchedProcess) -> None:
    """Leave the process group of a process that the launcher started with others."""
    if process.count > 1:
        from cclearn.runtime.processes import leave_process_group

        leave_process_group()
