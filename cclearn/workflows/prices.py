"""The table of prices of a benchmark, and what coding with a model cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.errors import DataError
from cclearn.evaluation.report.cost import Cost
from cclearn.runtime.files import read_text
from cclearn.runtime.memory import peak_gpu_mib, peak_mib
from cclearn.runtime.yaml_files import parse_yaml

if TYPE_CHECKING:
    from cclearn.coding.base import Usage

_KINDS = ("answer", "hour", "prompt")

Prices = Mapping[str, float]
"""Prices of one model: of a million tokens read (`prompt`) or written (`answer`), and of
an hour of the machine (`hour`)."""


def read_prices(path: Path | None, models: Sequence[str]) -> dict[str, Prices]:
    """Read a table of prices.

    Args:
        path: A YAML file that maps each model to its prices; None returns an empty table.
        models: The models that the table must contain.

    Raises:
        DataError: The file is not a table of prices, or a model is missing from it.
    """
    if path is None:
        return {}
    table, _ = parse_yaml(read_text(path), path)
    try:
        prices = {
            str(model): {str(kind): _price(price) for kind, price in kinds.items()}
            for model, kinds in table.items()
        }
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise DataError(path, "not a table of prices: `MODEL: {prompt: 1, answer: 2}`") from None
    _refuse_invalid(prices, path)
    missing = [model for model in models if model not in prices]
    if missing:
        raise DataError(path, f"no price of {', '.join(missing)}")
    return {**prices}


def _refuse_invalid(prices: Mapping[str, Prices], path: Path) -> None:
    invalid = [
        f"{model}: {kind}"
        for model, kinds in prices.items()
        for kind, price in kinds.items()
        if not 0 <= price < math.inf
    ]
    if invalid:
        raise DataError(path, f"not a price: {', '.join(invalid)}. Prices are 0 or more.")
    unknown = sorted({kind for kinds in prices.values() for kind in kinds}.difference(_KINDS))
    if unknown:
        raise DataError(path, f"unknown: {', '.join(unknown)}. There are: {', '.join(_KINDS)}.")


def _price(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def measure_cost(
    usage: Usage,
    notes: int,
    seconds: float,
    prices: Prices | None,
    manifest: Mapping[str, Any] | None,
) -> Cost:
    """Return what coding and training cost.

    Args:
        usage: Tokens and GPU time that the coder used.
        notes: Number of notes that were coded.
        seconds: Wall-clock time of coding them.
        prices: Prices of the model; None if there are none.
        manifest: Manifest of the model's training run; None if there is none.
    """
    price = None
    if prices is not None:
        read = prices.get("prompt", 0) * usage.prompt_tokens
        written = prices.get("answer", 0) * usage.answer_tokens
        price = (read + written) / 1e6 / notes + prices.get("hour", 0) * seconds / 3600 / notes
    training = manifest or {}
    return Cost(
        notes=notes,
        seconds=round(seconds / notes, 4),
        prompt_tokens=round(usage.prompt_tokens / notes, 1),
        answer_tokens=round(usage.answer_tokens / notes, 1),
        peak_mib=peak_mib(),
        gpu_seconds=round(usage.gpu_seconds / notes, 4),
        peak_gpu_mib=peak_gpu_mib(),
        price=price,
        training_tokens=training.get("tokens_seen"),
        training_seconds=training.get("seconds"),
        training_gpu_seconds=training.get("gpu_seconds"),
    )
