"""Progress bars, on standard error and only on a terminal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
        console=console,
        disable=not (shown and console.is_terminal),
    )


@contextmanager
def step_bar(title: str, shown: bool = True) -> Iterator[Callable[[int, int, float | None], None]]:
    """Show a bar for steps; call it with the steps done, the steps in all, and the loss."""
    with _bars(shown) as bars:
        task = bars.add_task(title, total=None, remark="")

        def show(done: int, total: int, loss: float | None) -> None:
            remark = "" if loss is None else f"loss {loss:.3f}"
            bars.update(task, completed=done, total=total, remark=remark)

        yield show


def track(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """Yield items while a bar counts them."""
    with _bars() as bars:
        task = bars.add_task(title, total=total, remark="")
        for item in items:
            yield item
            bars.advance(task)
