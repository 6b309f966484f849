"""CodiEsp (CLEF eHealth 2020): clinical cases in Spanish and in English, coded with CIE-10-ES.

The folder contains `train`, `dev` and optionally `test`, each with `text_files`, `text_files_en` and the
tables `trainD.tsv`, `trainP.tsv`, `trainX.tsv` and so on (Zenodo 3837305). X tables may also have the
four fields of a submission: case, offsets, label, code.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.building import Annotation, note_rows
from cclearn.notes import CodedNote
from cclearn.outputs.codiesp import DIAGNOSIS, PROCEDURE
from cclearn.runtime.files import read_lines, read_text

_OFFSET = re.compile("[0-9]{1,18}")

_LABELS = {DIAGNOSIS: "d", PROCEDURE: "p"}

_SPLITS = ("train", "dev", "test")


class CodiEspOptions(CorpusOptions):
    """Options of CodiEsp.

    Attributes:
        split: Name of the split to score.
        language: `es`, whose codes have evidence (tables X), or `en`, which is machine-translated and
            whose codes have no evidence (tables D and P).
        procedures: Whether procedures are scored in addition to diagnoses.
    """

    split: str = "dev"
    language: Literal["en", "es"] = "en"
    procedures: bool = False


class CodiEsp(Corpus):
    """Reads the cases of a split.

    Evidence in several fragments is read as one span, which includes the words between the fragments, as
    in the official script. Fragments may be in any order.
    """

    name = "codiesp"
    summary = "Clinical cases in Spanish (with evidence) or English, CIE-10-ES (CLEF eHealth 2020)."
    options_type = CodiEspOptions

    def rows(
        self, folder: Path, split: str, options: CodiEspOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the cases of a split, sorted by name.

        Raises:
            DataError: A file is missing.
        """
        if split == ALL:
            for name in _SPLITS:
                if (folder / name).is_dir():
                    yield from self.rows(folder, name, options, system)
            return
        part = folder / split
        texts = part / ("text_files" if options.language == "es" else "text_files_en")
        files = sorted(texts.glob("*.txt"))
        if not files:
            raise DataError(texts, "contains no .txt file: not a folder of CodiEsp")
        annotations: dict[str, list[Annotation]] = defaultdict(list)
        for row in _annotations(part, split, options):
            if isinstance(row, UnusableRow):
                yield row
            else:
                annotations[row[0]].append(row[1])
        for file in files:
            of_note = annotations.pop(file.stem, [])
            yield from note_rows(file, file.stem, read_text(file), of_note, system, "public")
        for name in sorted(annotations):
            for code, _, _ in annotations[name]:
                yield UnusableRow(texts, "there is no text of this id", note=name, code=code)


def _annotations(
    part: Path, split: str, options: CodiEspOptions
) -> Iterator[tuple[str, Annotation] | UnusableRow]:
    """Yield the case and the annotation of each line of the tables."""
    wanted = {"d", "p"} if options.procedures else {"d"}
    if options.language == "en":
        for kind in sorted(wanted):
            for row in _lines(part / f"{split}{kind.upper()}.tsv", (2,)):
                if isinstance(row, UnusableRow):
                    yield row
                else:
                    name, code = row[1]
                    yield name, (code, None, None)
        return
    path = part / f"{split}X.tsv"
    for row in _lines(path, (5, 4)):
        if isinstance(row, UnusableRow):
            yield row
            continue
        number, fields = row
        if len(fields) == 5:
            name, label, code, _, pieces = fields
        else:
            name, pieces, label, code = fields
        ends = pieces.replace(";", " ").split()
        if label not in _LABELS:
            yield UnusableRow(path, "neither DIAGNOSTICO nor PROCEDIMIENTO", number)
        elif not ends or not all(_OFFSET.fullmatch(end) for end in ends):
            yield UnusableRow(path, "offsets are no numbers", number)
        elif _LABELS[label] in wanted:
            offsets = [int(end) for end in ends]
            yield name, (code, min(offsets), max(offsets))


def _lines(path: Path, counts: Sequence[int]) -> Iterator[tuple[int, list[str]] | UnusableRow]:
    """Yield the number and the fields of each line."""
    for number, line in enumerate(read_lines(path), start=1):
        values = line.split("\t")
        if len(values) in counts:
            yield number, values
        else:
            wanted = " or ".join(map(str, counts))
            yield UnusableRow(path, f"{len(values)} fields, not {wanted}", number)
