"""Logging of the steps of a command and of the causes of an error (`--debug`, `CCLEARN_DEBUG=1`).

Neither contains text of a note. Steps are logged with names, counts and seconds. The cause of an error
is shown by the types of its exceptions and by the file, line and function of each frame. Messages of
foreign exceptions, source lines and values of variables are left out, because they might quote a note.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from cclearn.errors import CclearnError, visible
from cclearn.runtime.display import print_message

VARIABLE = "CCLEARN_DEBUG"
"""Environment variable that has the same effect as `--debug` if it is set to 1."""

LOGGER = "cclearn"
"""Name of the logger above all loggers of the package."""


class _OneLineFormatter(logging.Formatter):
    """Escapes control characters, which names in a message may contain."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(visible, super().format(record).split("\n")))


def log_to_standard_error(level: str, *libraries: str) -> None:
    """Write log messages to standard error.

    Args:
        level: Name of the lowest level of the package's messages that are written, e.g. `debug`.
        libraries: Names of other loggers that get the same level. All others write warnings only.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    for name in (LOGGER, *libraries):
        logging.getLogger(name).setLevel(level.upper())


def start_debugging(requested: bool = False) -> None:
    """Log every step from now on, if the option or the environment variable is set.

    Args:
        requested: Whether the option was given.
    """
    if requested or os.environ.get(VARIABLE) == "1":
        log_to_standard_error("debug")


def is_debugging() -> bool:
    """Return whether steps and causes of errors are shown."""
    return logging.getLogger(LOGGER).level == logging.DEBUG


def report_error(error: CclearnError) -> None:
    """Write an error to standard error, with its causes if debugging is on."""
    for line in (*error.lines, *(cause_lines(error) if is_debugging() else ())):
        print_message(line)


@contextmanager
def logged_step(name: str, logger: str = LOGGER) -> Iterator[None]:
    """Log the beginning and the duration of a step at level DEBUG. It can be used as a decorator.

    Args:
        name: Name of the step, without text of a note.
        logger: Name of the logger.
    """
    log = logging.getLogger(logger)
    log.debug("%s: started", name)
    started = time.perf_counter()
    try:
        yield
    except BaseException as error:
        seconds = time.perf_counter() - started
        log.debug("%s: %s after %.2f s", name, type(error).__name__, seconds)
        raise
    log.debug("%s: finished in %.2f s", name, time.perf_counter() - started)


def cause_lines(error: BaseException) -> list[str]:
    """Return the exceptions that led to an error and the frames of each, in order of time.

    Args:
        error: The error. Only messages of the package's own errors are shown.
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return [line for link in reversed(chain) for line in _describe(link)]


def _describe(error: BaseException) -> list[str]:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    message = f": {error}" if isinstance(error, CclearnError) else ""
    frames = traceback.walk_tb(error.__traceback__)
    return [
        *f"{kind}{message}".split("\n"),
        *(f"  {f.f_code.co_filename}:{line}:{f.f_code.co_qualname}" for f, line in frames),
    ]
