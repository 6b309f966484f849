"""Print a random sample of evidence, to be read by eye.

python -m benchmarks.evidence_sample --data FOLDER [--count 300] [--seed 0]
python -m benchmarks.evidence_sample --data FOLDER --silver [--count 100] [--seed 0]

The first command prints evidence of the lexicon in ACI-Bench and MTS-Dialog, and the second that which
`cclearn build silver` finds for the codes of CodiEsp's English training notes, without a model and
without strings of other notes. Each line has the code, its title, and the evidence between `<<` and `>>`
with the words around it. The question is whether the evidence names a condition of this patient, and for
silver evidence whether it names that of the code.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator
from pathlib import Path

from cclearn import CodedNote, Coder, CodeSystem, Note
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes import Evidence
from data_builders.silver.builder import SilverConfig
from data_builders.silver.nearest import NearestEvidence

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


def silver_notes(folder: Path) -> Iterator[CodedNote]:
    """Yield the English training notes of CodiEsp with the evidence that is found for their codes."""
    system = CodeSystem.load()
    options = CodiEspOptions(split="train", language="en")
    notes = CodiEsp().read(folder / "codiesp", "train", options, system)
    nearest = NearestEvidence(system)
    least = SilverConfig.model_fields["least"].default
    for note in notes:
        codes = [assigned.code for assigned in note.codes]
        found = nearest.find(note.text, codes)
        yield note.model_copy(
            update={
                "codes": [
                    assigned.model_copy(
                        update={
                            "evidence": [
                                Evidence(start=e.start, end=e.end, text=note.text[e.start : e.end])
                                for e in pieces
                                if (e.score or 0) >= least
                            ]
                        }
                    )
                    for assigned, pieces in zip(note.codes, found, strict=True)
                ]
            }
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of both corpora")
    parser.add_argument("--silver", action="store_true", help="evidence for the codes of CodiEsp")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    lines = []
    codes = with_evidence = 0
    for coded in (
        silver_notes(arguments.data)
        if arguments.silver
        else Coder.lexicon().code_many(notes(arguments.data))
    ):
        codes += len(coded.codes)
        with_evidence += sum(bool(code.evidence) for code in coded.codes)
        for code in coded.codes:
            for quote in code.evidence:
                before = coded.text[max(0, quote.start - _BEFORE) : quote.start]
                after = coded.text[quote.end : quote.end + _AFTER]
                shown = " ".join(f"{before}<<{quote.text}>>{after}".split())
                lines.append(f"{code.code} {code.assertion} ({code.description}): {shown}")
    rng = random.Random(arguments.seed)  # noqa: S311 - not for cryptography
    for number, line in enumerate(rng.sample(lines, arguments.count), start=1):
        print(number, line)
    print(f"{with_evidence:,} of {codes:,} codes have evidence ({with_evidence / codes:.1%}).")


if __name__ == "__main__":
    main()
