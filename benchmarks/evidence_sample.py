"""Print a random sample of the lexicon's evidence in ACI-Bench and MTS-Dialog, to be read by eye.

python -m benchmarks.evidence_sample --data FOLDER [--count 300] [--seed 0]

Each line has the code, its title, and the evidence between `<<` and `>>` with the words around it. The
question is whether the evidence names a condition of this patient.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator
from pathlib import Path

from cclearn import Coder, Note

_BEFORE, _AFTER = 70, 50
"""Number of code points of the note on either side of the evidence."""


def notes(folder: Path) -> Iterator[Note]:
    """Yield the notes of ACI-Bench and the sections of MTS-Dialog, with their headers."""
    for path in sorted((folder / "aci_bench").glob("*.csv")):
        if "metadata" not in path.name:
            for row in _rows(path):
                yield Note(id=row["encounter_id"], text=row["note"], origin="public")
    for path in sorted((folder / "mts_dialog").glob("*.csv")):
        for row in _rows(path):
            text = f"{row['section_header']}: {row['section_text']}"
            yield Note(id=f"{path.stem} {row['ID']}", text=text, origin="public")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(path.read_text(encoding="utf-8").splitlines(keepends=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of both corpora")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    lines = []
    for coded in Coder.lexicon().code_many(notes(arguments.data)):
        for code in coded.codes:
            for quote in code.evidence:
                before = coded.text[max(0, quote.start - _BEFORE) : quote.start]
                after = coded.text[quote.end : quote.end + _AFTER]
                shown = " ".join(f"{before}<<{quote.text}>>{after}".split())
                lines.append(f"{code.code} {code.assertion} ({code.description}): {shown}")
    rng = random.Random(arguments.seed)  # noqa: S311 - not for cryptography
    for number, line in enumerate(rng.sample(lines, arguments.count), start=1):
        print(number, line)


if __name__ == "__main__":
    main()
