"""Export of a benchmark as a task of lm-evaluation-harness.

The task uses the prompts and the parser of cclearn. The harness supports no grammars, so answers are
unconstrained: a quote that does not occur in the note, or a code that the release does not allow, is
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
"""Maximum number of tokens of an answer."""

_UTILS = '''"""What the task computes, from cclearn."""

from cclearn.evaluation.lm_eval.export import invalid_rate, micro_f1, process_results

__all__ = ["invalid_rate", "micro_f1", "process_results"]
'''

Counts = tuple[int, int, int]
"""Numbers of correct, of predicted and of gold codes."""


def export_task(
    notes: Iterable[CodedNote],
    name: str,
    system: CodeSystem,
    folder: Path,
    overwrite: bool = False,
) -> int:
    """Write a task: `NAME.yaml`, its notes in `NAME.jsonl`, and `cclearn_utils.py`.

    The folder contains the text of the notes, and is as restricted as they are.

    Args:
        notes: Coded notes.
        name: Name of the task, which `lm_eval --tasks NAME --include_path FOLDER` runs.
        system: The code system.
        folder: The folder to write, which appears when it is complete.
        overwrite: Whether a folder that this function wrote may be replaced.

    Returns:
        The number of notes.

    Raises:
        CclearnError: There are no notes, or the folder exists.
    """
    with atomic_folder(folder, overwrite, "task") as partial:
        return _fill_task(partial, notes, name, system, folder.resolve())


def _fill_task(
    partial: Path, notes: Iterable[CodedNote], name: str, system: CodeSystem, folder: Path
) -> int:
    """Write the files of a task to `partial`, which is renamed to `folder` later."""
    count = 0
    rows = f"{name}.jsonl"
    with atomic_file(partial / rows) as stream:
        for note in notes:
            row = {
                "id": note.id,
                "note": note.text,
                "prompt": document_prompt(note.text, system.name)[0]["content"],
                "answer": document_answer(note),
                "codes": [assigned.code for assigned in note.ranked],
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
    """Count the codes of an answer. The harness calls this function for every note.

    A code is predicted if its line can be parsed. It is correct if it is billable, its quote occurs in
    the note, and it is a gold code.

    Args:
        doc: Row of the task, written by `export_task`.
        results: List with the answer.
    """
    system = CodeSystem.load(doc["system"])
    lines = parse_answer(results[0]).lines
    spans = ground(doc["note"], [line.quote for line in lines])
    answered: dict[str, bool] = {}
    for line, span in zip(lines, spans, strict=True):
        code = system.canonical(line.code)
        answered[code] = answered.get(code, False) or span is not None
    usable = {code for code, grounded in answered.items() if grounded and system.is_billable(code)}
    gold = set(doc["codes"])
    return {
        "micro_f1": (len(usable & gold), len(answered), len(gold)),
        "invalid_rate": (len(answered) - len(usable), len(answered), 0),
    }


def micro_f1(counts: Sequence[Counts]) -> float:
    """Return the micro F1 over all notes, 2TP/(2TP+FP+FN), or 0 if there are no codes."""
    correct, predicted, gold = (sum(column) for column in zip(*counts, strict=True))
    return 2 * correct / (predicted + gold) if predicted + gold else 0.0


def invalid_rate(counts: Sequence[Counts]) -> float:
    """Return the share of predicted codes that are not billable or whose quote does not occur in the
    note."""
    wrong, predicted, _ = (sum(column) for column in zip(*counts, strict=True))
    return wrong / predicted if predicted else 0.0
