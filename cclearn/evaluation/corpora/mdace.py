"""MDACE (Cheng et al. 2023): MIMIC-III notes with the evidence of each code.

The folder is a clone of MDACE's repository (`data/Inpatient/ICD-10/1.0/*.json`,
`splits/Inpatient/MDace-ev-test.csv`). The text is read from the files of the repository, if MDACE's
script has inserted it, or from MIMIC-III's `NOTEEVENTS.csv` (or `.csv.gz`) in the folder, for which the
user needs a licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from cclearn.codes import CodeSystem
from cclearn.codes.traits import traits_of
from cclearn.errors import DataError
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.building import note_rows
from cclearn.evaluation.corpora.tables import column_rows, find_table
from cclearn.notes import CodedNote
from cclearn.runtime.files import read_lines
from cclearn.runtime.parsing import read_json

_NUMBER = re.compile("[0-9]{1,18}")


class _Annotation(BaseModel):
    begin: int
    end: int
    code: str
    code_system: str


class _Note(BaseModel):
    note_id: int | str
    category: str
    annotations: list[_Annotation]
    text: str | None = None


class _Chart(BaseModel):
    notes: list[_Note]


class MDACEOptions(CorpusOptions):
    """Options of MDACE.

    Attributes:
        care: Kind of care, which selects the charts.
        categories: Categories of notes, e.g. `Discharge summary`; empty for all categories.
    """

    care: Literal["Inpatient", "Profee"] = "Inpatient"
    categories: tuple[str, ...] = ()


class MDACECorpus(Corpus):
    """Reads the annotated notes of a split. Codes of other code systems are left out."""

    name = "mdace"
    summary = "MIMIC-III notes with evidence (needs NOTEEVENTS.csv by your own licence)."
    options_type = MDACEOptions

    def rows(
        self, folder: Path, split: str, options: MDACEOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the notes of the charts in a split, sorted by the numbers of the charts.

        Raises:
            DataError: A file is missing or malformed.
        """
        traits = system.traits if system.traits.mdace_folder else traits_of("icd10cm")
        wanted = traits.display_name
        charts = folder / "data" / options.care / str(traits.mdace_folder) / "1.0"
        candidates = ((f.name.split("-")[0], f) for f in sorted(charts.glob("*.json")))
        files = {int(number): f for number, f in candidates if _NUMBER.fullmatch(number)}
        if not files:
            raise DataError(charts, "contains no chart: not the folder of MDACE")
        wanted_charts = files.keys() if split == ALL else _split(folder, split, options)
        numbers = sorted(wanted_charts & files.keys())
        notes = [
            (files[number], note)
            for number in numbers
            for note in _notes(files[number])
            if not options.categories or note["category"] in options.categories
        ]
        missing = {note["note_id"] for _, note in notes if "text" not in note}
        texts = _texts(folder, missing) if missing else {}
        for file, note in notes:
            identifier = note["note_id"]
            text = note.get("text", texts.get(identifier))
            if text is None:
                yield UnusableRow(file, "NOTEEVENTS does not contain it", note=str(identifier))
                continue
            annotations = [
                (annotation["code"], annotation["begin"], annotation["end"])
                for annotation in note["annotations"]
                if annotation["code_system"] == wanted
            ]
            yield from note_rows(file, str(identifier), text, annotations, system)


def _split(folder: Path, split: str, options: MDACEOptions) -> set[int]:
    path = folder / "splits" / options.care / f"MDace-ev-{split}.csv"
    numbers = set()
    for line, value in enumerate(read_lines(path), start=1):
        if _NUMBER.fullmatch(value.strip()):
            numbers.add(int(value))
        elif value.strip() and line > 1:
            raise DataError(path, "not a chart's number", line)
    return numbers


def _notes(path: Path) -> list[dict[str, Any]]:
    try:
        notes = _Chart.model_validate(read_json(path)).notes
    except ValidationError:
        raise DataError(path, "not a chart of MDACE") from None
    return [note.model_dump(exclude_unset=True) for note in notes]


def _texts(folder: Path, wanted: set[int]) -> dict[int, str]:
    """Return the texts of notes from the table of MIMIC-III, by the id of the note."""
    texts = {}
    for row in column_rows(find_table(folder, "NOTEEVENTS"), ("ROW_ID", "TEXT")):
        if isinstance(row, UnusableRow):
            raise row
        number, text = row[1]
        if _NUMBER.fullmatch(number) and int(number) in wanted:
            texts[int(number)] = text
    return texts
