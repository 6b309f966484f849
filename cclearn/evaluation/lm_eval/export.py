"""Our coding benchmark as a task of lm-evaluation-harness, so that others can run it there.

The task asks for the codes of a note with our prompt and reads the answer with our parser. The harness
knows no grammar: answers are free, and what the note does not hold or the release does not allow is
wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.notes import CodedNote
from cclearn.notes.grounding import ground
from cclearn.prompts import document_answer, document_prompt, parse_answer
from cclearn.runtime.files import atomic_file, atomic_folder

LONGEST_ANSWER = 1_024
"""Tokens of an answer."""

_UTILS = '''"""What the task computes, from cclearn."""

from cclearn.evaluation.lm_eval.export import invalid_rate, micro_f1, process_results

__all__ = ["invalid_rate", "micro_f1", "process_results"]
'''

Counts = tuple[int, int, int]
"""Codes that are right, that are predicted, that are wanted."""


def export_task(
    notes: Iterable[CodedNote],
    name: str,
    system: CodeSystem,
    folder: Path,
    overwrite: bool = False,
) -> int:
    """Write a task: `NAME.yaml`, its notes in `NAME.jsonl`, and `cclearn_utils.py`.

    The notes' text is in the folder: it is as restricted as they are.

    Args:
        notes: Coded notes.
        name: The task's; `lm_eval --tasks NAME --include_path FOLDER` runs it.
        system: The code system.
        folder: The folder to write, which appears when it is complete.
        overwrite: Whether a folder that this function wrote is replaced.

    Returns:
        How many notes were written.

    Raises:
        CclearnError: There are no notes, or the folder exists.
    """
    with atomic_folder(folder, overwrite, "task") as partial:
        return _fill_task(partial, notes, name, system, folder.resolve())


def _fill_task(
    partial: Path, notes: Iterable[CodedNote], name: str, system: CodeSystem, folder: Path
) -> int:
    """Write the files of a task to `partial`, which is going to be renamed to `folder`."""
    count = 0
    rows = f"{name}.jsonl"
    with atomic_file(partial / rows) as stream:
        for note in notes:
            row = {
                "id": note.id,
                "note": note.text,
                "prompt": document_prompt(note.text, system.name)[0]["content"],
                "answer": document_answer(note),
                "codes": [assigned.code for assigned in note.codes],
                "system": system.name,
            }
            stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            count += 1
    if not count:
        raise CclearnError(f"export-task (out = {folder}): there are no notes. Name another split.")
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / rows)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {
            "until": ["\n\n"],
            "do_sample": False,
            "max_gen_toks": LONGEST_ANSWER,
        },
        "metadata": {"version": 1.0, "release": system.release},
    }
    functions = (
        "process_results: !function cclearn_utils.process_results\n"
        "metric_list:\n"
        "  - metric: micro_f1\n    aggregation: !function cclearn_utils.micro_f1\n"
        "    higher_is_better: true\n"
        "  - metric: invalid_rate\n    aggregation: !function cclearn_utils.invalid_rate\n"
        "    higher_is_better: false\n"
    )
    for path, text in (
        (partial / f"{name}.yaml", yaml.safe_dump(task, sort_keys=False) + functions),
        (partial / "cclearn_utils.py", _UTILS),
    ):
        with atomic_file(path) as stream:
            stream.write(text.encode())
    return count


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Counts]:
    """Count the codes of an answer; the harness calls this for every note.

    A code is predicted where its line can be read; it is right where the release knows it, its quote
    stands in the note, and the gold has it.

    Args:
        doc: A row that `export_task` wrote.
        results: The answer.
    """
    system = CodeSystem.load(doc["system"])
    lines = parse_answer(results[0]).lines
    spans = ground(doc["note"], [line.quote for line in lines])
    answered = {
        system.canonical(line.code): span is not None
        for line, span in zip(lines, spans, strict=True)
    }
    usable = {code for code, grounded in answered.items() if grounded and system.is_billable(code)}
    wanted = set(doc["codes"])
    return {
        "micro_f1": (len(usable & wanted), len(answered), len(wanted)),
        "invalid_rate": (len(answered) - len(usable), len(answered), 0),
    }


def micro_f1(counts: Sequence[Counts]) -> float:
    """Return 2TP/(2TP+FP+FN) over all notes, 0 where there is nothing."""
    right, predicted, wanted = (sum(column) for column in zip(*counts, strict=True))
    return 2 * right / (predicted + wanted) if predicted + wanted else 0.0


def invalid_rate(counts: Sequence[Counts]) -> float:
    """Return the share of predicted codes that are not billable or whose quote is not in the note."""
    wrong, predicted, _ = (sum(column) for column in zip(*counts, strict=True))
    return wrong / predicted if predicted else 0.0
