"""Processes that code: HTTP and coding in one would share one interpreter lock, and half the speed."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, NamedTuple

from cclearn.errors import CclearnError, RestrictedTextError

if TYPE_CHECKING:
    from cclearn.coding import Coder
    from cclearn.notes import Note

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0
"""Seconds between attempts to start a worker that does not start."""


class Loaded(NamedTuple):
    """What a worker's coder is."""

    model: str
    system: str
    release: str


class Coded(NamedTuple):
    """A coded note as one line of JSON, without its end, and how many codes it has."""

    line: bytes
    codes: int


class Uncoded(NamedTuple):
    """Why a note could not be coded, in words that hold none of its own.

    Attributes:
        status: Of HTTP.
        problem: For the caller.
        place: Where in the program, for the log; empty where the program is not to blame.
    """

    status: int
    problem: str
    place: str = ""


Outcome = Coded | Uncoded


class Batch(NamedTuple):
    """What became of the notes of a batch, in order, and what it took."""

    outcomes: list[Outcome]
    seconds: float
    prompt_tokens: int
    answer_tokens: int


class WorkerLost(Exception):
    """The process went before it had answered."""


_coder: Coder | None = None


def place_of(error: BaseException) -> str:
    """Return an error's type and where it was raised; its message might quote a note."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = type(error).__name__
    if trace is None:
        return name
    return f"{name} in {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"


def _begin() -> None:
    # A terminal's Ctrl-C and a service manager's stop reach the whole group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _load(load: Callable[[], Coder]) -> Loaded | str:
    """Make this process's coder; what is wrong with the settings is returned in words."""
    global _coder
    try:
        _coder = load()
        _coder.prepare()
    except CclearnError as error:
        return str(error)
    gc.freeze()
    return Loaded(_coder.name, _coder.system.name, _coder.system.release)


def _code(notes: Sequence[Note]) -> Batch:
    assert _coder is not None  # noqa: S101 - loaded before it is asked
    usage = _coder.usage
    prompt_tokens, answer_tokens = usage.prompt_tokens, usage.answer_tokens
    started = time.perf_counter()
    outcomes = _outcomes(_coder, notes)
    return Batch(
        outcomes,
        time.perf_counter() - started,
        usage.prompt_tokens - prompt_tokens,
        usage.answer_tokens - answer_tokens,
    )


def _outcomes(coder: Coder, notes: Sequence[Note]) -> list[Outcome]:
    """Code notes together; if one of them raises, each by itself."""
    from cclearn.notes.jsonl import row_to_json

    try:
        return [
            Coded(row_to_json(coded).encode(), len(coded.codes)) for coded in coder.code_many(notes)
        ]
    except Exception as error:
        if len(notes) == 1:
            return [_uncoded(error)]
    return [outcome for note in notes for outcome in _outcomes(coder, [note])]


def _uncoded(error: Exception) -> Uncoded:
    if isinstance(error, RestrictedTextError):
        return Uncoded(403, str(error))
    if isinstance(error, CclearnError):  # A server behind the coder refuses us.
        return Uncoded(502, str(error))
    problem = f"the coder failed ({type(error).__name__}). The service's log says where."
    return Uncoded(500, problem, place_of(error))


class Worker:
    """One process with a coder, made anew when it is lost.

    Args:
        load: Makes the coder, in the process; it is sent there.
        patience: Seconds after which a batch is given up and the process ended.

    Attributes:
        mending: Held while a lost process is made anew, and what it took is tried again.
        is_down: Whether it was lost and does not start again.
        lost: How often it was lost.
    """

    def __init__(self, load: Callable[[], Coder], patience: float) -> None:
        self.mending = asyncio.Lock()
        self.is_down = False
        self.lost = 0
        self._load = load
        self._patience = patience
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None

    @property
    def is_alive(self) -> bool:
        """Whether there is a process that codes, as far as is known."""
        return self._pool is not None

    async def start(self) -> Loaded:
        """Start the process and load its coder.

        Raises:
            CclearnError: The coder cannot be loaded.
            BrokenProcessPool: The process ended meanwhile.
        """
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        try:
            process = await asyncio.wrap_future(pool.submit(os.getpid))
            self._process = next(p for p in multiprocessing.active_children() if p.pid == process)
            loaded = await asyncio.wrap_future(pool.submit(_load, self._load))
            if isinstance(loaded, str):
                raise CclearnError(loaded)
        except BaseException:
            self._end(pool, 0)
            raise
        self._pool = pool
        return loaded

    async def revive(self) -> None:
        """Start the process again if it was lost, as often as it takes."""
        pause = 1.0
        while self._pool is None:
            try:
                await self.start()
                self.is_down = False
                log.info("worker started again")
            except Exception as error:
                self.is_down = True
                said = str(error) if isinstance(error, CclearnError) else place_of(error)
                log.error("worker does not start: %s. Next attempt in %.0f s.", said, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def code(self, notes: Sequence[Note]) -> Batch:
        """Code a batch.

        Raises:
            WorkerLost: The process is gone, or was ended as it did not answer.
        """
        pool = self._pool
        if pool is None:
            raise WorkerLost
        try:
            batch = asyncio.wrap_future(pool.submit(_code, notes))
            done, _ = await asyncio.wait({batch}, timeout=self._patience)
            if done:
                return batch.result()
            batch.add_done_callback(lambda late: late.cancelled() or late.exception())
            why = f"it did not answer for {self._patience:g} s"
        except BrokenProcessPool:
            why = "it ended by itself or was killed"
        if self._pool is pool:
            log.error("worker lost: %s", why)
            self._pool = None
            self.lost += 1
            self._end(pool, 0)
        raise WorkerLost

    def stop(self, patience: float) -> None:
        """End the process, at once if it does not end within some seconds."""
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
