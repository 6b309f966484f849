"""Corpora at scale: importing tables of the size of MIMIC-IV, and evidence from a file of answers.

python benchmarks/imports.py [--stays 331000] [--words 1500] [--notes 100000]

All content is synthetic. The commands run in separate processes, as a user runs them.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from measure import save, timed_build

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.jsonl import write_rows

CODES_OF_A_STAY = 14
"""Mean number of diagnoses of a stay in MIMIC-IV."""

PHRASES = {
    "I50.9": "heart failure",
    "I10": "hypertension",
    "E11.9": "type 2 diabetes",
    "J44.9": "COPD",
    "N17.9": "acute kidney failure",
    "J18.9": "pneumonia",
}


def write_tables(folder: Path, stays: int, words: int) -> float:
    """Write tables in the form of MIMIC-IV. Return their size in gigabytes.

    Args:
        folder: Folder of the tables.
        stays: Number of stays. Each has a summary, and nine of ten have ICD-10 codes.
        words: Number of words of a summary.
    """
    rng = random.Random(0)  # noqa: S311 - not for cryptography
    billable = [code.replace(".", "") for code in CodeSystem.load().billable_codes()]
    vocabulary = [f"{PHRASES[code]} of word{n}" for n in range(300) for code in PHRASES]
    with (
        (folder / "discharge.csv").open("w", newline="") as notes,
        (folder / "diagnoses_icd.csv").open("w", newline="") as codes,
    ):
        note_rows, code_rows = csv.writer(notes), csv.writer(codes)
        note_rows.writerow(["note_id", "subject_id", "hadm_id", "text"])
        code_rows.writerow(["subject_id", "hadm_id", "seq_num", "icd_code", "icd_version"])
        for stay in range(stays):
            subject = stay // 2
            text = "Summary:\n" + ", ".join(rng.choices(vocabulary, k=words // 4))
            note_rows.writerow([f"{subject}-DS-{stay}", subject, 20_000_000 + stay, text])
            version = 9 if stay % 10 == 0 else 10
            for number in range(rng.randint(1, 2 * CODES_OF_A_STAY)):
                code = "4019" if version == 9 else rng.choice(billable)
                code_rows.writerow([subject, 20_000_000 + stay, number + 1, code, version])
    return round(sum(path.stat().st_size for path in folder.iterdir()) / 1e9, 2)


def write_answers(folder: Path, count: int) -> None:
    """Write notes without evidence and a file with the answers of a model to them."""
    rng = random.Random(0)  # noqa: S311 - not for cryptography

    def notes() -> Any:
        with (folder / "answers.jsonl").open("w") as answers:
            for number in range(count):
                chosen = rng.sample(sorted(PHRASES), 3)
                text = "Admitted with " + ". He also has ".join(PHRASES[c] for c in chosen)
                text += f". Discharged on day {number}. " + "The rest is without findings. " * 20
                answer = "\n".join(f"- {PHRASES[code]} => {code}" for code in chosen)
                answers.write(json.dumps({"id": f"n{number}", "answer": answer}) + "\n")
                codes = [AssignedCode(code=code) for code in chosen]
                yield CodedNote(id=f"n{number}", text=text, origin="synthetic", codes=codes)

    write_rows(folder / "notes.jsonl", notes())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--stays", type=int, default=331_000)
    parser.add_argument("--words", type=int, default=1_500)
    parser.add_argument("--notes", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tables = Path(name) / "tables"
        tables.mkdir()
        gigabytes = write_tables(tables, arguments.stays, arguments.words)
        imported = timed_build(["corpus", f"file={tables}", "format=mimic4"], Path(name) / "corpus")
    with tempfile.TemporaryDirectory() as name:
        write_answers(Path(name), arguments.notes)
        replay = f"model=replay:{name}/answers.jsonl"
        cited = timed_build(["silver", f"notes={name}/notes.jsonl", replay], Path(name) / "silver")
    save(
        "imports",
        {"mimic4": {"gigabytes": gigabytes, **imported}, "silver_replay": cited},
    )


if __name__ == "__main__":
    main()
