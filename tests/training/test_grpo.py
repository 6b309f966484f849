from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.models import load_tokenizer
from cclearn.notes.jsonl import read_coded_notes
from cclearn.rows import document_row, encode_rows
from cclearn.training.dry_run import dry_run
from cclearn.training.grpo import run_grpo
from cclearn.training.grpo_settings import Grpo
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
    "grpo={generations: 2, answer_length: 160}",
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
    # Random answers of 160 tokens are cut off: worth nothing, or less.
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
    short = second.model_copy(update={"grpo": Grpo(generations=2, answer_length=24)})
    with pytest.raises(
        ConfigurationError,
        match=r"\d+ answers are longer than answer_length = 24, the longest \d+ tokens .*Increase"
        r" grpo\.answer_length or set rows\.overflow=drop\.",
    ):
        run_grpo(short)
    tight = second.model_copy(
        update={"training": second.training.model_copy(update={"max_length": 60})}
    )
    with pytest.raises(ConfigurationError, match="longer than max_length"):
        run_grpo(tight)


def test_notes_that_are_left_out_are_counted_by_reason(
    data: Path, run: Path, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(str(run))
    notes = read_coded_notes(data / "notes" / "notes.jsonl", CodeSystem.load())
    rows, _ = encode_rows([document_row(note) for note in notes], tokenizer, 10_000)
    prompts = sorted(row.completion_mask.count(0) for row in rows)
    answers = sorted(sum(row.completion_mask) for row in rows)
    # The longest answers are left out first, and then the longest prompts of the others.
    most = answers[-5]
    context = prompts[-5] + most
    long_answers = sum(answer > most for answer in answers)
    long_prompts = sum(
        sum(row.completion_mask) <= most and row.completion_mask.count(0) + most > context
        for row in rows
    )
    assert long_answers
    assert long_prompts
    settings = adapting(
        run,
        "lora",
        *SETTINGS[:-1],
        f"training.max_length={context}",
        f"grpo={{generations: 2, answer_length: {most}}}",
        "rows.overflow=drop",
        "training.steps=1",
    )
    recipe = tiny_recipe(data, tmp_path / "run", *settings)
    counted = dry_run(recipe)
    assert (counted.dropped, counted.long_answers) == (long_prompts, long_answers)
    manifest = json.loads((run_grpo(recipe) / "manifest.json").read_text())
    (row,) = manifest["rows"]
    assert (len(row["dropped"]), len(row["long_answers"])) == (long_prompts, long_answers)
    assert row["rows"] == 20 - long_prompts - long_answers
