"""Progress on standard error: a bar on a terminal, otherwise a line every 30 seconds."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cclearn.errors import visible

Item = TypeVar("Item")


def quiet_libraries() -> None:
    """Turn off the progress bars of datasets and transformers, which would interrupt those of cclearn.

    This imports both libraries. Call it only if they are used anyway.
    """
    # On a CPU, bitsandbytes warns at each start that an optional kernel of the hub is missing.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    from datasets.utils.logging import disable_progress_bar as disable_datasets
    from transformers.utils.logging import disable_progress_bar as disable_transformers

    disable_datasets()
    disable_transformers()


def _bars(shown: bool = True) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}", markup=False),
        console=console,
        disable=not (shown and console.is_terminal),
    )


_INTERVAL = 30.0
"""Seconds between two lines of progress."""


class _Lines:
    """Writes a line of progress every 30 seconds.

    Args:
        shown: Whether lines are written. They replace the bar if standard error is not a terminal.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._written = time.monotonic()

    def write(self, line: str) -> None:
        """Write a line, unless the last one is less than 30 seconds old.

        Args:
            line: Text of the line.
        """
        now = time.monotonic()
        if self._shown and now - self._written >= _INTERVAL:
            self._written = now
            sys.stderr.write(f"{visible(line)}\n")


@contextmanager
def step_bar(title: str, shown: bool = True) -> Iterator[Callable[[int, int, float | None], None]]:
    """Show the progress of training.

    Args:
        title: Title of the progress bar.
        shown: Whether anything is shown.

    Yields:
        A function that receives the number of finished steps, the total number of steps, and the loss.
    """
    with _bars(shown) as bars:
        task = bars.add_task(visible(title), total=None, remark="")
        lines = _Lines(shown and bars.disable)

        def show(done: int, total: int, loss: float | None) -> None:
            remark = "" if loss is None else f"loss {loss:.3f}"
            bars.update(task, completed=done, total=total, remark=remark)
            line = f"{title}: {done:,} of {total:,} steps"
            lines.write(f"{line}, {remark}" if remark else line)

        yield show


@contextmanager
def corpus_progress(total: int, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show the progress of coding a corpus, its speed, and the remaining time.

    Args:
        total: Number of notes.
        shown: Whether anything is shown.

    Yields:
        A function that receives the number of finished notes.
    """
    started = time.monotonic()
    finished_earlier: int | None = None

    with _bars(shown) as bars:
        task = bars.add_task("coding", total=total, remark="")
        lines = _Lines(shown and bars.disable)

        def show(done: int) -> None:
            nonlocal finished_earlier
            if finished_earlier is None:
                finished_earlier = done  # They do not count towards the speed of this run.
            speed = (done - finished_earlier) / max(time.monotonic() - started, 1e-9)
            bars.update(task, completed=done, remark=f"{speed:,.0f} notes/s")
            if speed:
                left = timedelta(seconds=round((total - done) / speed))
                lines.write(f"{done:,} of {total:,} notes, {speed:,.1f} notes/s, {left} left")

        yield show


def track(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """Yield items, and show the number of items so far.

    Args:
        items: The items.
        title: Title of the progress bar.
        total: Number of items, if it is known.
    """
    with _bars() as bars:
        task = bars.add_task(visible(title), total=total, remark="")
        lines = _Lines(bars.disable)
        of_total = "" if total is None else f" of {total:,}"
        for count, item in enumerate(items, start=1):
            yield item
            bars.advance(task)
            lines.write(f"{title}: {count:,}{of_total}")
