"""The heavy step of a builder as one ordered map: in this process, in several, or on a cluster."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Protocol, TypeVar

from cclearn.runtime.files import making_many_objects
from cclearn.runtime.ray_cluster import LOST_WORKERS, errors_for_the_user

Task = TypeVar("Task")
Result = TypeVar("Result")

_ROWS = 500
"""Numbered rows that are made in one go."""


class Spread(Protocol):
    """Maps tasks to results in the order of the tasks, wherever the work is done."""

    def __call__(
        self, make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield the result of each task.

        Args:
            make: Makes what does the work, once in each process; it can be pickled, as tasks and
                results can. The work depends on nothing but the task.
            tasks: Each worth a second or so, or the way to a worker costs more than it saves.
        """


def here(make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]) -> Iterator[Result]:
    """Do the work in this process, a task at a time."""
    yield from map(make(), tasks)


def processes(count: int) -> Spread:
    """Return a spread over processes of this machine; a few tasks more than processes are held.

    Args:
        count: How many processes.
    """

    def spread(
        make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        waiting: deque[Future[Result]] = deque()
        # Forking would copy the threads' locks of the libraries that are loaded.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, context, _start, (make,)) as pool:
            try:
                for task in tasks:
                    waiting.append(pool.submit(_run, task))
                    if len(waiting) > 2 * count:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    return spread


_work: Callable[[Any], Any] | None = None


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    # Ctrl-C reaches every process of the terminal: the parent alone answers it, or a worker that dies
    # at the wrong moment would keep the parent waiting for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work = make()


def _run(task: Any) -> Any:
    assert _work is not None  # noqa: S101 - `_start` ran first in this process
    return _work(task)


def on_ray(ray: Any) -> Spread:
    """Return a spread over the cores of a cluster by Ray Data; it holds all tasks, and of the results
    what the cluster's object store has room for.

    Args:
        ray: The connected module that `cclearn.runtime.ray_cluster.ray_cluster` gives.
    """

    def spread(
        make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        items = [pickle.dumps(task) for task in tasks]
        if not items:
            return
        most = max(1, min(len(items), int(ray.cluster_resources().get("CPU", 1))))
        done = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Worker,
            fn_constructor_args=(make,),
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
            **LOST_WORKERS,
        )
        for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
            for result in batch["result"]:
                with making_many_objects():
                    made = pickle.loads(result.as_py())  # noqa: S301 - our worker wrote it
                yield made

    return spread


class _Worker:
    """Does the work of a batch of tasks, in an actor of Ray Data's."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        self._make = make
        self._work: Callable[[Any], Any] | None = None

    def __call__(self, batch: Any) -> Any:
        import pyarrow

        with errors_for_the_user():
            if self._work is None:
                self._work = self._make()
            results = [self._work(pickle.loads(task.as_py())) for task in batch["item"]]  # noqa: S301
            pickled = [pickle.dumps(result) for result in results]
        return pyarrow.table({"result": pyarrow.array(pickled, pyarrow.large_binary())})


def numbers(count: int) -> Iterator[range]:
    """Yield the numbers from 1 to `count` in parts, each a task."""
    for start in range(1, count + 1, _ROWS):
        yield range(start, min(start + _ROWS, count + 1))
