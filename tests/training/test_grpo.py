from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.errors import ConfigurationError
from cclearn.training.grpo import run_grpo
from cclearn.training.sft import run_sft
from tests.training.runs import adapting, tiny_recipe

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

SETTINGS = (
    "rows.order=document_only",
    "training.batching=padded",
    "training.batch_tokens=null",
    "training.batch_size=4",
    "training.steps=2",
    "training.learning_rate=1e-3",
    "grpo={generations: 2, answer_length: 24}",
)


def test_a_model_is_rewarded(data: Path, run: Path, tmp_path: Path) -> None:
    folder = run_grpo(tiny_recipe(data, tmp_path / "run", *adapting(run, "lora", *SETTINGS)))
    assert (folder / "adapter_model.safetensors").exists()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["steps"] == 2
    assert manifest["recipe"]["grpo"]["generations"] == 2
    assert "stage `grpo`" in (folder / "README.md").read_text()
    (row,) = manifest["rows"]
    assert (row["kind"], row["rows"]) == ("document", 20)
    logged = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rewards = [entry["reward"] for entry in logged if "reward" in entry]
    # Random answers of 24 tokens are cut off: worth nothing, or less.
    assert rewards
    assert all(-1 <= reward <= 0.5 for reward in rewards)
    metrics = (folder / "metrics.jsonl").read_text()
    assert "myocardial" not in metrics


def test_the_stage_and_its_script_go_together(data: Path, run: Path, tmp_path: Path) -> None:
    second = tiny_recipe(data, tmp_path / "run", *adapting(run, "lora", *SETTINGS))
    with pytest.raises(ConfigurationError, match=r"Launch recipes/grpo\.py"):
        run_sft(second)
    with pytest.raises(ConfigurationError, match=r"Launch recipes/sft\.py"):
        run_grpo(tiny_recipe(data, tmp_path / "run"))
    few = second.model_copy(
        update={"training": second.training.model_copy(update={"batch_size": 42})}
    )
    with pytest.raises(ConfigurationError, match="they contain 20 notes, but a step needs 21"):
        run_grpo(few)
    twice = second.rows.model_copy(update={"sources": second.rows.used * 2})
    with pytest.raises(ConfigurationError, match="several notes share an id"):
        run_grpo(second.model_copy(update={"rows": twice}))
    tight = second.model_copy(
        update={"training": second.training.model_copy(update={"max_length": 60})}
    )
    with pytest.raises(ConfigurationError, match="longer than max_length"):
        run_grpo(tight)
