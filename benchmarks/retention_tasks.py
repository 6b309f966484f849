"""Write tasks of lm-evaluation-harness that need no download, for `cclearn retention`.

python -m benchmarks.retention_tasks --data FOLDER --out tasks
cclearn retention --before MODEL --after TUNED --task conversations --task code_titles --include tasks
    --batch-size 1 --out retention.json

FOLDER contains `aci_bench`.

- `conversations`: the perplexity of words in conversations of doctors and patients (ACI-Bench), which is
  English that no training row resembles.
- `code_titles`: which of four titles of ICD-10-CM belongs to a category. The others are those of its
  siblings or cousins.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from pathlib import Path
from typing import Any

from cclearn import CodeSystem
from cclearn.codes import Kind

QUESTIONS = 300

_SETTINGS: dict[str, dict[str, Any]] = {
    "conversations": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "word_perplexity"}],
    },
    "code_titles": {
        "output_type": "multiple_choice",
        "doc_to_text": "The ICD-10-CM category {{code}} is:",
        "doc_to_target": "{{answer}}",
        "doc_to_choice": "{{choices}}",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
}


def conversations(data: Path) -> list[dict[str, Any]]:
    """Return the conversations of ACI-Bench's validation split."""
    with (data / "aci_bench" / "valid.csv").open(newline="", encoding="utf-8") as stream:
        return [{"text": row["dialogue"]} for row in csv.DictReader(stream)]


def code_titles(system: CodeSystem, rng: random.Random) -> list[dict[str, Any]]:
    """Return questions about categories of the code system."""
    categories = [code.code for code in system.rows() if code.kind == Kind.CATEGORY]
    found = []
    for code in rng.sample(categories, len(categories)):
        near = [c for c in system.siblings(code) + system.cousins(code) if c != code]
        if len(near) < 3:
            continue
        choices = [code, *rng.sample(near, 3)]
        rng.shuffle(choices)
        titles = [system.description(choice) for choice in choices]
        found.append({"code": code, "choices": titles, "answer": choices.index(code)})
        if len(found) == QUESTIONS:
            break
    return found


def write_task(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write the rows and the settings of a task."""
    file = folder / f"{name}.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    settings = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file.resolve())}},
        "test_split": "test",
        **_SETTINGS[name],
    }
    (folder / f"{name}.yaml").write_text(json.dumps(settings), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains aci_bench")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True)
    write_task(arguments.out, "conversations", conversations(arguments.data))
    rows = code_titles(CodeSystem.load(), random.Random(0))  # noqa: S311 - reproducible, not secret
    write_task(arguments.out, "code_titles", rows)


if __name__ == "__main__":
    main()
