from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from cclearn.evaluation.lm_eval.export import export_task
from cclearn.evaluation.lm_eval.retention import RetentionScore, read_retention, run_retention
from cclearn.evaluation.report.content import Report
from cclearn.evaluation.report.html_page import html_report
from cclearn.evaluation.report.markdown_page import markdown_report
from tests.evaluation.notes import note


def test_the_harness_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ConfigurationError, match=r"pip install cclearn\[retention\]"):
        run_retention("a", "b", ["medqa"])


def test_scores_come_back_and_into_the_report(tmp_path: Path) -> None:
    one = RetentionScore(
        task="<medqa>",
        metric="acc",
        before=0.5,
        before_error=0.02,
        after=0.25,
        after_error=None,
    )
    path = tmp_path / "retention.json"
    path.write_text(json.dumps({"models": {}, "retention": [one.model_dump()]}))
    assert read_retention(path) == [one]
    page = html_report(Report("t", [], {}, retained=[one]))
    assert "<td>&lt;medqa&gt;</td><td>acc</td><td>0.500 ± 0.020</td><td>0.250</td>" in page
    assert "| &lt;medqa&gt; | acc | 0.500 ± 0.020 | 0.250 |" in markdown_report(
        Report("t", [], {}, retained=[one])
    )
    path.write_text("{}")
    with pytest.raises(DataError, match="not a file of `cclearn retention`"):
        read_retention(path)


@pytest.mark.slow
def test_the_harness_runs_before_and_after(tmp_path: Path, system: CodeSystem) -> None:
    pytest.importorskip("lm_eval", reason="the extra `retention` is not installed")
    from tests.models import random_engine

    for seed in (0, 1):
        engine = random_engine(seed)
        engine.model.save_pretrained(tmp_path / str(seed))
        engine.tokenizer.save_pretrained(tmp_path / str(seed))
    task = tmp_path / "task"
    export_task([note(str(n), {"I25.2": [(4, 6)]}) for n in range(3)], "cclearn_x", system, task)
    models = str(tmp_path / "0"), str(tmp_path / "1")
    found = run_retention(*models, ["cclearn_x"], include=task, limit=2)
    assert {row.metric for row in found} == {"micro_f1", "invalid_rate"}
    assert all(0 <= row.before <= 1 and 0 <= row.after <= 1 for row in found)
    with pytest.raises(ConfigurationError, match=r"task = nothing\): the harness does not know"):
        run_retention(*models, ["nothing"], include=task)


def test_a_base_model_without_a_chat_template_is_compared_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.models import random_engine

    tokenizer = random_engine().tokenizer
    tokenizer.save_pretrained(tmp_path / "tuned")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "base")
    used: list[bool] = []

    def simple_evaluate(**settings: Any) -> dict[str, Any]:
        used.append(settings["apply_chat_template"])
        return {"results": {"medqa": {"acc,none": 0.5, "acc_stderr,none": 0.1}}}

    class TaskManager:
        all_tasks = ("medqa",)

        def __init__(self, include_path: str | None) -> None:
            pass

    harness, its_tasks = ModuleType("lm_eval"), ModuleType("lm_eval.tasks")
    monkeypatch.setattr(harness, "simple_evaluate", simple_evaluate, raising=False)
    monkeypatch.setattr(its_tasks, "TaskManager", TaskManager, raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval", harness)
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", its_tasks)
    base, tuned = str(tmp_path / "base"), str(tmp_path / "tuned")
    (found,) = run_retention(base, tuned, ["medqa"])
    assert (found.before, found.after_error) == (0.5, 0.1)
    run_retention(tuned, tuned, ["medqa"])
    assert used == [False, False, True, True]
