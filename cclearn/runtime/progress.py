"""Progress on standard error: bars on a terminal; of long runs, lines elsewhere."""

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
    """Turn off the progress bars of the libraries underneath, which would break into ours.

    Imports them: call it where they are about to be used anyway.
    """
    # On a CPU it misses a kernel of the hub's that we do not take, and says so at each start.
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


@contextmanager
def step_bar(title: str, shown: bool = True) -> Iterator[Callable[[int, int, float | None], None]]:
    """Show a bar for steps; call it with the steps done, the steps in all, and the loss."""
    with _bars(shown) as bars:
        task = bars.add_task(visible(title), total=None, remark="")

        def show(done: int, total: int, loss: float | None) -> None:
            remark = "" if loss is None else f"loss {loss:.3f}"
            bars.update(task, completed=done, total=total, remark=remark)

        yield show


_QUIET = 30.0
"""Seconds between two lines where there is no terminal for a bar."""


@contextmanager
def corpus_progress(total: int, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show how far a long run is and when it will end; call it with the notes that are done.

    A bar on a terminal; elsewhere, as in the log of a job, a line now and then.
    """
    began = told = time.monotonic()
    before: int | None = None

    with _bars(shown) as bars:
        task = bars.add_task("coding", total=total, remark="")

        def show(done: int) -> None:
            nonlocal before, told
            now = time.monotonic()
            if before is None:
                before = done  # What an earlier run has done says nothing of this one's speed.
            speed = (done - before) / max(now - began, 1e-9)
            bars.update(task, completed=done, remark=f"{speed:,.0f} notes/s")
            if bars.disable and shown and speed and now - told >= _QUIET:
                told = now
                left = timedelta(seconds=round((total - done) / speed))
                line = f"{done:,} of {total:,} notes, {speed:,.1f} notes/s, {left} left"
                sys.stderr.write(line + "\n")

        yield show


def track(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """Yield items while a bar counts them."""
    with _bars() as bars:
        task = bars.add_task(visible(title), total=total, remark="")
        for item in items:
            yield item
            bars.advance(task)
