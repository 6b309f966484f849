"""The cost of a system: of its training, and of coding a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of coding with a model, and of its training.

    Attributes:
        notes: Number of notes that were coded.
        seconds: Wall-clock time per note, without the time to load the model.
        gpu_seconds: Time per note in which one GPU generated; 0 on a CPU.
        prompt_tokens: Number of tokens read per note.
        answer_tokens: Number of tokens written per note.
        peak_mib: Peak memory of the process, for all models up to this one.
        peak_gpu_mib: Peak GPU memory of the process, for all models up to this one; None without a GPU.
        price: Price per note, in the currency of the table of prices; None without prices.
        training_tokens: Number of tokens read in training, by the model's manifest; None if unknown.
        training_seconds: Wall-clock time of training, by the model's manifest; None if unknown.
        training_gpu_seconds: Time of training multiplied by the number of GPUs; None if unknown.
    """

    notes: int
    seconds: float
    prompt_tokens: float
    answer_tokens: float
    peak_mib: int
    gpu_seconds: float = 0.0
    peak_gpu_mib: int | None = None
    price: float | None = None
    training_tokens: int | None = None
    training_seconds: float | None = None
    training_gpu_seconds: float | None = None


_SHOWN = (
    ("seconds", "seconds a note", "{:.3g}"),
    ("gpu_seconds", "GPU-seconds a note", "{:.3g}"),
    ("prompt_tokens", "tokens read a note", "{:,.0f}"),
    ("answer_tokens", "tokens written a note", "{:,.0f}"),
    ("price", "price a note", "{:.3g}"),
    ("peak_mib", "peak memory, MiB", "{:,}"),
    ("peak_gpu_mib", "peak GPU memory, MiB", "{:,}"),
    ("training_tokens", "training tokens", "{:,}"),
    ("training_seconds", "training seconds", "{:,.0f}"),
    ("training_gpu_seconds", "training GPU-seconds", "{:,.0f}"),
)


def cost_rows(costs: Mapping[str, Cost]) -> list[list[str]]:
    """Return a row for each kind of cost that a system has: its heading, and the value of each
    system."""
    rows = []
    for name, heading, template in _SHOWN:
        values = [getattr(cost, name) for cost in costs.values()]
        if any(values):
            rows.append([heading, *("–" if v is None else template.format(v) for v in values)])
    return rows
