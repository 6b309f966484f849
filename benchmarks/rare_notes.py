"""Notes for the rare codes of a corpus of MIMIC-III's size: time, memory, kills, and a Ray cluster.

python -m benchmarks.rare_notes --data FOLDER [--kills 10] [--only templates answers kills ray]

FOLDER contains `codiesp`. About 90,000 notes are built for 7,900 codes. The counts of the codes are
made up, with strata that are about as large as those that arXiv 2511.14112 published, and the code sets
are those of CodiEsp's training notes. With `answers`, the notes come from a file of answers of a model,
which are the notes of the templates with their evidence. The commands run in separate processes.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, killed_build, save, timed_build
from cclearn.codes import CodeSystem
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.prompts.layout import BETWEEN, EVIDENCE_HEAD, LINE_START
from cclearn.runtime.files import sha256_of_file
from cclearn.runtime.parsing import read_json

STRATA = {"zero_shot": 237, "ultra_tail": 5_199, "tail": 2_472, "more": 992}
"""Numbers of codes."""

COUNTS = {"zero_shot": (0, 0), "ultra_tail": (1, 9), "tail": (10, 99), "more": (100, 5_000)}
"""Smallest and largest number of training notes of a code."""

PARTS = ("templates", "answers", "kills", "ray")

COMPARED = ("notes.jsonl", "rejected.jsonl", "stats.json")
"""Files whose bytes are compared."""

RESULT = RESULTS / "rare_notes.json"


def write_corpus(data: Path, folder: Path) -> list[str]:
    """Write the training notes and the counts. Return the arguments of the build."""
    system = CodeSystem.load()
    options = CodiEspOptions(split="train", language="en")
    write_rows(folder / "train.jsonl", CodiEsp().read(data / "codiesp", "train", options, system))
    rng = random.Random(0)  # noqa: S311 - reproducible
    codes = iter(rng.sample(system.billable_codes(), sum(STRATA.values())))
    with (folder / "counts.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["code", "count"])
        for stratum, number in STRATA.items():
            for _ in range(number):
                table.writerow([next(codes), rng.randint(*COUNTS[stratum])])
    return ["rare_code_notes", f"notes=[{folder}/train.jsonl]", f"counts={folder}/counts.csv"]


def write_answers(notes: Path, answers: Path) -> None:
    """Write notes as the answers of a model, with a line of evidence for each code."""
    with answers.open("w", encoding="utf-8") as file:
        for note in read_coded_notes(notes):
            lines = [
                f"{LINE_START}{assigned.evidence[0].text}{BETWEEN}{assigned.code}"
                for assigned in note.codes
            ]
            answer = "\n".join([note.text, "", EVIDENCE_HEAD, *lines])
            file.write(json.dumps({"id": note.id, "answer": answer}) + "\n")


def hashes(folder: Path) -> dict[str, str]:
    """Return the hashes of the files that are compared."""
    return {name: sha256_of_file(folder / name) for name in COMPARED}


def measure(data: Path, parts: list[str], kills: int) -> dict[str, Any]:
    """Return the figures of parts."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="cclearn-rare-") as name:
        folder = Path(name)
        arguments = write_corpus(data, folder)
        whole = timed_build(arguments, folder / "whole")
        expected = hashes(folder / "whole")
        if "templates" in parts:
            strata = read_json(folder / "whole" / "stats.json")["strata"]
            found["templates"] = {**whole, "strata": strata}
        if "answers" in parts:
            write_answers(folder / "whole" / "notes.jsonl", folder / "answers.jsonl")
            model = f"model=replay:{folder}/answers.jsonl"
            found["answers"] = timed_build([*arguments, model], folder / "answered")
        if "kills" in parts:
            rng = random.Random(1)  # noqa: S311 - reproducible
            # A build that is complete before its kill would refuse the next one.
            moments = [0.8 * rng.random() * whole["seconds"] for _ in range(kills)]
            killed = sum(killed_build(arguments, folder / "killed", after) for after in moments)
            timed_build([*arguments, "--overwrite"], folder / "killed")
            same = hashes(folder / "killed") == expected
            found["kills"] = {"kills": killed, "same_bytes": same}
        if "ray" in parts:
            timing = timed_build([*arguments, "--ray", "local"], folder / "ray")
            found["ray"] = {**timing, "same_bytes": hashes(folder / "ray") == expected}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    kept = read_json(RESULT) if RESULT.exists() else {}
    kept = {part: kept[part] for part in PARTS if part in kept}
    save("rare_notes", {**kept, **measure(arguments.data, arguments.only, arguments.kills)})


if __name__ == "__main__":
    main()
