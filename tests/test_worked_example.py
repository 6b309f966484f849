"""The commands of "From a hospital's table to a model" in docs/training.md, on a small table."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cclearn.training.recipe_file import load_recipe, packaged_recipes
from tests.models import SHAPE
from tests.source_tree import ROOT

SENTENCES = {
    "I50.9": "Admitted with worsening heart failure.",
    "I10": "Known hypertension, on lisinopril.",
    "E11.9": "Type 2 diabetes on metformin.",
    "J18.9": "Treated for pneumonia.",
}

QUOTES = {"I50.9": "heart failure", "I10": "hypertension", "E11.9": "Type 2 diabetes"}


def commands() -> list[list[str]]:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    section = page.split("## From a hospital's table to a model")[1].split("\n## ")[0]
    return [shlex.split(line) for line in re.findall(r"^\$ cclearn (.*)$", section, re.MULTILINE)]


def write_table(path: Path) -> None:
    codes = list(SENTENCES)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["visit", "mrn", "note", "icd"])
        for number in range(24):
            chosen = [codes[number % 4], codes[(number + 1) % 4]]
            text = f"Visit {number}.\n" + " ".join(SENTENCES[code] for code in chosen)
            writer.writerow([number, number // 2, text, "; ".join(chosen)])


def run(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cclearn", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (command, done.stderr[-2000:])


@pytest.mark.slow
@pytest.mark.parametrize("model", [False, True])
def test_the_commands_make_a_model_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "notes.csv")
    answers = [
        {
            "id": str(number),
            "answer": "\n".join(
                f"- {quote} => {code}"
                for code, quote in QUOTES.items()
                if code in (list(SENTENCES)[number % 4], list(SENTENCES)[(number + 1) % 4])
            )
            or "none",
        }
        for number in range(24)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in answers)
    (tmp_path / "answers.jsonl").write_text(lines, encoding="utf-8")
    for command in commands():
        if command[:2] == ["build", "icd10cm"]:
            command += ["under=I50", "variants=1"]
        if command[:2] == ["build", "silver"] and model:
            command += ["model=replay:answers.jsonl"]
        if command[0] == "train":
            shape = SHAPE.model_dump(exclude_none=True).items()
            command += [f"model.scratch.{key}={value}" for key, value in shape]
            command += ["training.steps=3"]
        run(command)
    manifest = json.loads((tmp_path / "runs" / "mine" / "manifest.json").read_text())
    document = next(part for part in manifest["rows"] if part["kind"] == "document")
    # The model cites no evidence of pneumonia.
    assert (document["uncited"]["codes"] > 0) == model
    (scores,) = json.loads((tmp_path / "scores" / "metrics.json").read_text())["systems"].values()
    parts = [
        len((tmp_path / "corpus" / f"{n}.jsonl").read_text().splitlines()) for n in ("train", "dev")
    ]
    assert sum(parts) == 24
    assert scores["notes_asked"] == parts[1]
    assert 0 <= scores["scores"]["micro_f1"]["value"] <= 1


@pytest.mark.slow
def test_the_commands_of_a_recipe_make_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "notes.csv")
    recipe = load_recipe(packaged_recipes()["gemma-3-270m/sft_full"])
    assert recipe.data is not None
    names = {"id=ID": "id=visit", "text=TEXT": "text=note", "codes=CODES": "codes=icd"}
    for line in recipe.data.splitlines():
        _, *command = [names.get(word, word) for word in shlex.split(line)]
        run([*command, *(["under=I50"] if command[1] == "icd10cm" else [])])
    for source in (*recipe.rows.sources, *recipe.rows.evaluation):
        assert source.path.read_text(encoding="utf-8")
