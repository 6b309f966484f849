"""Code that runs in the process of a worker: loading a coder, and coding notes to bytes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cclearn.coding.batch import code_batch
from cclearn.errors import CclearnError, RestrictedTextError, UnansweredError, type_and_location
from cclearn.notes.jsonl import row_to_json
from cclearn.service.schemas import CodedRowWithoutText

if TYPE_CHECKING:
    from cclearn.coding import Coder
    from cclearn.notes import CodedNote, Note


class Loaded(NamedTuple):
    """The model and the code system of a worker's coder."""

    model: str
    system: str
    release: str


class Coded(NamedTuple):
    """A coded note as one line of JSON without the line end, and the number of its codes."""

    line: bytes
    codes: int


class Uncoded(NamedTuple):
    """The reason why a note could not be coded. It contains no text of the note.

    Attributes:
        status: HTTP status code of the response.
        problem: Message for the client.
        location: Type of the error and its location in the source, which are logged. It is empty if the
            error is not in the program.
    """

    status: int
    problem: str
    location: str = ""


Outcome = Coded | Uncoded


class Batch(NamedTuple):
    """The outcomes of the notes of a batch, in order, with the time and the tokens that it took."""

    outcomes: list[Outcome]
    seconds: float
    prompt_tokens: int
    answer_tokens: int


_coder: Coder | None = None


def begin() -> None:
    """Prepare the process. It ends when its parent process ends, and not before."""
    # Ctrl-C and the stop signal of a service manager reach the whole process group. The parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def load_in_worker(load: Callable[[], Coder]) -> Loaded | str:
    """Load the coder of this process. Return what it is, or the message if its settings are wrong."""
    global _coder
    try:
        _coder = load()
        _coder.prepare()
    except CclearnError as error:
        return str(error)
    gc.freeze()
    return Loaded(_coder.name, _coder.system.name, _coder.system.release)


def code_notes(notes: Sequence[Note], echo: Sequence[bool]) -> Batch:
    """Code a batch of notes. A note that fails does not affect the others.

    Args:
        notes: Notes to code.
        echo: Whether the result of each note contains its text.
    """
    assert _coder is not None  # noqa: S101 - it is loaded before notes come
    usage = _coder.usage
    prompt_tokens, answer_tokens = usage.prompt_tokens, usage.answer_tokens
    started = time.perf_counter()
    outcomes = list(map(_outcome, code_batch(_coder, notes), echo))
    return Batch(
        outcomes,
        time.perf_counter() - started,
        usage.prompt_tokens - prompt_tokens,
        usage.answer_tokens - answer_tokens,
    )


def _outcome(coded: CodedNote | Exception, echo: bool) -> Outcome:
    if isinstance(coded, Exception):
        return _uncoded(coded)
    try:
        line = row_to_json(coded) if echo else _without_text(coded)
    except Exception as error:  # Metadata may be nested more deeply than pydantic writes.
        return _uncoded(error)
    return Coded(line.encode(), len(coded.codes))


def _without_text(coded: CodedNote) -> str:
    return CodedRowWithoutText.model_validate(coded).model_dump_json()


def _uncoded(error: Exception) -> Uncoded:
    if isinstance(error, RestrictedTextError):
        return Uncoded(403, str(error))
    if isinstance(error, UnansweredError) and "timeout" in error.failures:
        return Uncoded(504, str(error))
    if isinstance(error, CclearnError):  # The model refuses, or the server that runs it.
        return Uncoded(502, str(error))
    problem = f"the coder failed ({type(error).__name__}). The service's log says where."
    return Uncoded(500, problem, type_and_location(error))
