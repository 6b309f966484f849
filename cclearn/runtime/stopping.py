"""What a scheduler's stop does."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cleaning_up_when_stopped() -> Iterator[None]:
    """Let SIGTERM clean up as Ctrl-C does: what is half-written may hold text of notes."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
