"""Scores of a model on tasks of lm-evaluation-harness, before and after tuning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from cclearn.errors import ConfigurationError, DataError
from cclearn.models import load_tokenizer
from cclearn.runtime.parsing import read_json


class RetentionScore(BaseModel):
    """A score on a task before and after tuning.

    Attributes:
        task: Name of the task in the harness.
        metric: Name of the metric in the harness.
        before: Score of the model before tuning.
        before_error: Standard error of `before`; None if the harness reports none.
        after: Score of the model after tuning.
        after_error: Standard error of `after`; None if the harness reports none.
    """

    model_config = ConfigDict(extra="forbid")

    task: str
    metric: str
    before: float
    before_error: float | None
    after: float
    after_error: float | None


def run_retention(
    before: str,
    after: str,
    tasks: Sequence[str],
    include: Path | None = None,
    limit: int | None = None,
    batch_size: int = 8,
) -> list[RetentionScore]:
    """Run tasks with the models before and after tuning.

    Both models receive the same prompts: with a chat template, unless one of them has none, as the base
    of a fine-tuned model often has.

    Args:
        before: Folder of the model before tuning, or its name on the Hugging Face Hub.
        after: Folder of the tuned model, or of its adapter.
        tasks: Names of the tasks in the harness.
        include: Folder with additional tasks.
        limit: Maximum number of examples of each task; None runs all of them.
        batch_size: Batch size of the harness.

    Raises:
        ConfigurationError: The harness is not installed, or does not have a task; or a model cannot be
            loaded.
    """
    _refuse_missing_harness()
    models = (before, after)
    chat = all(load_tokenizer(model).chat_template for model in models)
    scores = [_scores(model, tasks, include, limit, batch_size, chat) for model in models]
    return [
        RetentionScore(
            task=task,
            metric=metric,
            before=value,
            before_error=error,
            after=scores[1][task, metric][0],
            after_error=scores[1][task, metric][1],
        )
        for (task, metric), (value, error) in scores[0].items()
    ]


def _refuse_missing_harness() -> None:
    try:
        import lm_eval  # noqa: F401 - it takes seconds, and is used later
    except ImportError:
        raise ConfigurationError(
            ["retention: lm-evaluation-harness is not installed. `pip install cclearn[retention]`."]
        ) from None


def _scores(
    model: str,
    tasks: Sequence[str],
    include: Path | None,
    limit: int | None,
    batch_size: int,
    chat: bool,
) -> dict[tuple[str, str], tuple[float, float | None]]:
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(include) if include else None)
    unknown = [task for task in tasks if task not in manager.all_tasks]
    if unknown:
        raise ConfigurationError(
            [f"retention (task = {task}): the harness does not know it." for task in unknown]
        )
    result: dict[str, Any] = simple_evaluate(
        model="hf",
        model_args=_arguments(model),
        tasks=list(tasks),
        task_manager=manager,
        limit=limit,
        batch_size=batch_size,
        device="cuda" if torch.cuda.is_available() else "cpu",
        apply_chat_template=chat,
        log_samples=False,
        bootstrap_iters=0,
    )
    scores: dict[tuple[str, str], tuple[float, float | None]] = {}
    for task, metrics in result["results"].items():
        for name, value in metrics.items():
            metric, _, kind = name.partition(",")
            if isinstance(value, float) and not metric.endswith("_stderr"):
                error = metrics.get(f"{metric}_stderr,{kind}")
                scores[task, metric] = (value, error if isinstance(error, float) else None)
    return scores


def _arguments(model: str) -> dict[str, Any]:
    adapter = Path(model) / "adapter_config.json"
    if not adapter.is_file():
        return {"pretrained": model, "trust_remote_code": False}
    base = read_json(adapter).get("base_model_name_or_path")
    return {"pretrained": base, "peft": model, "trust_remote_code": False}


def read_retention(path: Path) -> list[RetentionScore]:
    """Read a file that `cclearn retention` wrote.

    Raises:
        DataError: The file is missing or malformed.
    """
    try:
        return [RetentionScore.model_validate(row) for row in read_json(path)["retention"]]
    except (ValueError, KeyError, TypeError, ValidationError):
        raise DataError(path, "not a file of `cclearn retention`") from None
