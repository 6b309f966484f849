"""What a system cost: to train, and for each note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What coding took, a note.

    Attributes:
        notes: How many were coded.
        seconds: Of wall clock, a note, the model's loading not counted.
        gpu_seconds: Of one GPU while it generated, a note; 0 on a CPU.
        prompt_tokens: Read, a note.
        answer_tokens: Written, a note.
        peak_mib: The most memory that the process has held, of all models up to this one.
        peak_gpu_mib: The most GPU memory, likewise; None where no GPU was used.
        price: A note, in the currency of the table of prices; None without one.
        training_tokens: Read in training, as the model's manifest says; None where it has none.
        training_seconds: Of training, likewise.
        training_gpu_seconds: Of training times the GPUs that it used, likewise.
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
    """Return a table's rows: what was counted, and what each system took; nothing that none took."""
    rows = []
    for name, heading, form in _SHOWN:
        values = [getattr(cost, name) for cost in costs.values()]
        if any(values):
            rows.append([heading, *("–" if v is None else form.format(v) for v in values)])
    return rows
