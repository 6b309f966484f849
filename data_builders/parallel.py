"""Ordered maps that run the expensive step of a builder in this process, in others, or on a cluster."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Protocol, TypeVar

from cclearn.runtime.garbage_collection import paused_garbage_collection
from cclearn.runtime.ray_cluster import LOST_WORKERS, errors_for_the_user

Task = TypeVar("Task")
Result = TypeVar("Result")

_ROWS = 500
"""Number of rows per task."""


class ParallelMap(Protocol):
    """Map from tasks to results that keeps their order."""

    def __call__(
        self, make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield the result of each task.

        Args:
            make: Returns the function from a task to its result. It is called once in each process. It
                must be picklable, as tasks and results must, and a result must depend on its task only.
            tasks: Tasks. Each should take about a second, so that the transfer does not dominate.
        """


def in_process(
    make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
) -> Iterator[Result]:
    """Run the tasks in this process, one after the other."""
    work = make()
    for task in tasks:
        # The collector would visit the code system again and again.
        with paused_garbage_collection():
            result = work(task)
        yield result


def in_processes(count: int) -> ParallelMap:
    """Return a map that runs tasks in processes of this machine.

    At most two tasks per process are waiting at a time.

    Args:
        count: Number of processes.
    """

    def parallel_map(
        make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        waiting: deque[Future[Result]] = deque()
        # A forked process would inherit the locks of other threads, and could wait for them for ever.
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

    return parallel_map


_work: Callable[[Any], Any] | None = None


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    # Ctrl-C reaches every process of the terminal. Only the parent handles it, because a worker that
    # dies at the wrong moment would keep the parent waiting for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work = make()


def _run(task: Any) -> Any:
    assert _work is not None  # noqa: S101 - `_start` ran first in this process
    with paused_garbage_collection():
        return _work(task)


def on_ray(ray: Any) -> ParallelMap:
    """Return a map that runs tasks on the cores of a cluster with Ray Data.

    All tasks are in memory, and as many results as fit into the cluster's object store.

    Args:
        ray: Connected module `ray`, which `cclearn.runtime.ray_cluster.ray_cluster` yields.
    """

    def parallel_map(
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
                with paused_garbage_collection():
                    unpickled = pickle.loads(result.as_py())  # noqa: S301 - our worker wrote it
                yield unpickled

    return parallel_map


class _Worker:
    """Actor of Ray Data that runs batches of tasks."""

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


def number_ranges(count: int) -> Iterator[range]:
    """Yield the numbers from 1 to `count` in ranges, one for each task."""
    for start in range(1, count + 1, _ROWS):
        yield range(start, min(start + _ROWS, count + 1))
