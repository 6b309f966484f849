"""What happens in a worker's process: a coder is made, and notes are coded to bytes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cclearn.coding.batch import code_each
from cclearn.errors import CclearnError, RestrictedTextError, UnansweredError, type_and_place
from cclearn.notes.jsonl import row_to_json

if TYPE_CHECKING:
    from cclearn.coding import Coder
    from cclearn.notes import CodedNote, Note


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


_coder: Coder | None = None


def begin() -> None:
    """Prepare the process: it ends when its parent does, and not before."""
    # A terminal's Ctrl-C and a service manager's stop reach the whole group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def load_coder(load: Callable[[], Coder]) -> Loaded | str:
    """Make this process's coder; what is wrong with its settings is returned in words."""
    global _coder
    try:
        _coder = load()
        _coder.prepare()
    except CclearnError as error:
        return str(error)
    gc.freeze()
    return Loaded(_coder.name, _coder.system.name, _coder.system.release)


def code_notes(notes: Sequence[Note]) -> Batch:
    """Code notes; one that fails takes no other down."""
    assert _coder is not None  # noqa: S101 - loaded before it is asked
    usage = _coder.usage
    prompt_tokens, answer_tokens = usage.prompt_tokens, usage.answer_tokens
    started = time.perf_counter()
    outcomes = list(map(_outcome, code_each(_coder, notes)))
    return Batch(
        outcomes,
        time.perf_counter() - started,
        usage.prompt_tokens - prompt_tokens,
        usage.answer_tokens - answer_tokens,
    )


def _outcome(coded: CodedNote | Exception) -> Outcome:
    if isinstance(coded, Exception):
        return _uncoded(coded)
    return Coded(row_to_json(coded).encode(), len(coded.codes))


def _uncoded(error: Exception) -> Uncoded:
    if isinstance(error, RestrictedTextError):
        return Uncoded(403, str(error))
    if isinstance(error, UnansweredError) and "timeout" in error.failures:
        return Uncoded(504, str(error))
    if isinstance(error, CclearnError):  # The model, or the server behind the coder, refuses.
        return Uncoded(502, str(error))
    problem = f"the coder failed ({type(error).__name__}). The service's log says where."
    return Uncoded(500, problem, type_and_place(error))
