"""Worker processes, which code notes. HTTP and coding would share one interpreter lock otherwise."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from cclearn.errors import CclearnError, type_and_location
from cclearn.service.process import Batch, Loaded, begin, code_notes, load_in_worker

if TYPE_CHECKING:
    from cclearn.coding import Coder
    from cclearn.notes import Note

log = logging.getLogger(__name__)

_MAX_PAUSE = 30.0
"""Maximum number of seconds between attempts to start a worker."""

_CHECK_INTERVAL = 1.0
"""Seconds between two checks of whether an idle worker is alive."""

_ENDED = "it ended by itself or was killed"


class WorkerLost(Exception):
    """The process ended before it answered."""


class Worker:
    """One process with a coder. It is started again when it is lost.

    Args:
        load: Function that loads the coder. It is pickled and called in the process.
        timeout: Number of seconds after which a batch is given up and the process is ended.

    Attributes:
        mending: Lock that is held while a lost process is started again and its notes are tried again.
        is_down: Whether the process was lost and has not started again.
        lost: Number of times that the process was lost.
    """

    def __init__(self, load: Callable[[], Coder], timeout: float) -> None:
        self.mending = asyncio.Lock()
        self.is_down = False
        self.lost = 0
        self._load = load
        self._timeout = timeout
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the process is alive, as of the last check."""
        return self._pool is not None

    async def start(self) -> Loaded:
        """Start the process and load its coder.

        Raises:
            CclearnError: The coder cannot be loaded, or the process ends meanwhile.
        """
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(1, mp_context=context, initializer=begin)
        try:
            process = await asyncio.wrap_future(pool.submit(os.getpid))
            self._process = next(p for p in multiprocessing.active_children() if p.pid == process)
            loaded = await asyncio.wrap_future(pool.submit(load_in_worker, self._load))
            if isinstance(loaded, str):
                raise CclearnError(loaded)
        except BaseException as error:
            self._end(pool, 0)
            if isinstance(error, BrokenProcessPool):
                raise CclearnError(
                    "worker: it ended while its coder was loaded. Check that there is enough memory."
                ) from None
            raise
        self._pool = pool
        self._watching = asyncio.create_task(self._watch(pool))
        return loaded

    async def _watch(self, pool: ProcessPoolExecutor) -> None:
        """Start the process again if it ends while it is idle."""
        while self._pool is pool:
            await asyncio.sleep(_CHECK_INTERVAL)
            if self._process is not None and not self._process.is_alive():
                self._lose(pool, _ENDED)
                async with self.mending:
                    await self.revive()

    async def revive(self) -> None:
        """Start the process again if it was lost. Try until it starts."""
        pause = 1.0
        while self._pool is None:
            try:
                await self.start()
                self.is_down = False
                log.info("worker started again")
            except Exception as error:
                self.is_down = True
                why = str(error) if isinstance(error, CclearnError) else type_and_location(error)
                log.error("worker does not start: %s. Next attempt in %.0f s.", why, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE)

    async def code(self, notes: Sequence[Note], echo: Sequence[bool]) -> Batch:
        """Code a batch.

        Args:
            notes: Notes to code.
            echo: Whether the result of each note contains its text.

        Raises:
            WorkerLost: The process has ended, or it was ended because it did not answer.
        """
        pool = self._pool
        if pool is None:
            raise WorkerLost
        try:
            batch = asyncio.wrap_future(pool.submit(code_notes, notes, echo))
            done, _ = await asyncio.wait({batch}, timeout=self._timeout)
            if done:
                return batch.result()
            batch.add_done_callback(lambda late: late.cancelled() or late.exception())
            why = f"it did not answer for {self._timeout:g} s"
        except BrokenProcessPool:
            why = _ENDED
        self._lose(pool, why)
        raise WorkerLost

    def _lose(self, pool: ProcessPoolExecutor, why: str) -> None:
        if self._pool is pool:
            log.error("worker lost: %s", why)
            self._pool = None
            self.lost += 1
            self._end(pool, 0)

    def stop(self, patience: float) -> None:
        """End the process.

        Args:
            patience: Number of seconds in which the process may end by itself before it is killed.
        """
        if self._pool is not None:
            self._end(self._pool, patience)
            self._pool = None

    def _end(self, pool: ProcessPoolExecutor, patience: float) -> None:
        pool.shutdown(wait=False, cancel_futures=True)
        if self._process is None:
            return
        if patience:
            self._process.join(patience)
        if self._process.is_alive():
            self._process.kill()
        self._process = None
