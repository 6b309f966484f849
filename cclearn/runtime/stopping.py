"""How a command stops when a scheduler ends it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cleaning_up_when_stopped() -> Iterator[None]:
    """Let SIGTERM remove partial files as Ctrl-C does, because they may contain text of notes."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
