"""Cleaning up when a scheduler stops a command with SIGTERM."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cleaning_up_when_stopped() -> Iterator[None]:
    """Turn SIGTERM into `SystemExit` inside the block.

    Context managers then remove their partial files, as they do after Ctrl-C. The files may contain text
    of notes.
    """
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
