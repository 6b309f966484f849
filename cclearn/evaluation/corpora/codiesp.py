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
from cclearn.errors import DataError, DataErrors, shown_id
from cclearn.evaluation.corpora.base import BenchmarkCorpus, CorpusOptions
from cclearn.evaluation.corpora.building import Annotation, coded_note
from cclearn.notes import CodedNote
from cclearn.outputs.codiesp import DIAGNOSIS, PROCEDURE
from cclearn.runtime.files import read_lines, read_text

_OFFSET = re.compile("[0-9]{1,18}")

_LABELS = {DIAGNOSIS: "d", PROCEDURE: "p"}


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


class CodiEsp(BenchmarkCorpus):
    """Reads the cases of a split.

    Evidence in several fragments is read as one span, which includes the words between the fragments, as
    in the official script. Fragments may be in any order.
    """

    name = "codiesp"
    summary = "Clinical cases in Spanish (with evidence) or English, CIE-10-ES (CLEF eHealth 2020)."
    options_type = CodiEspOptions

    def read(
        self, folder: Path, split: str, options: CodiEspOptions, system: CodeSystem
    ) -> Iterator[CodedNote]:
        """Stream the cases of a split, sorted by name.

        Raises:
            DataErrors: Files are missing, lines are malformed, or evidence is outside the text.
        """
        part = folder / split
        texts = part / ("text_files" if options.language == "es" else "text_files_en")
        files = sorted(texts.glob("*.txt"))
        if not files:
            raise DataError(texts, "contains no .txt file: not a folder of CodiEsp")
        annotations = _annotations(part, split, options)
        problems = []
        for file in files:
            text = read_text(file)
            try:
                yield coded_note(file.stem, text, annotations.pop(file.stem, ()), system, "public")
            except ValueError as error:
                problems.append(DataError(file, str(error)))
        problems += [
            DataError(texts, f"no text of {shown_id(name)}, which has codes")
            for name in sorted(annotations)
        ]
        if problems:
            raise DataErrors(problems)


def _annotations(part: Path, split: str, options: CodiEspOptions) -> dict[str, list[Annotation]]:
    found: dict[str, list[Annotation]] = defaultdict(list)
    wanted = {"d", "p"} if options.procedures else {"d"}
    problems: list[DataError] = []
    if options.language == "en":
        for kind in sorted(wanted):
            path = part / f"{split}{kind.upper()}.tsv"
            for _, (name, code) in _rows(path, (2,), problems):
                found[name].append((code, None, None))
    else:
        path = part / f"{split}X.tsv"
        for number, fields in _rows(path, (5, 4), problems):
            if len(fields) == 5:
                name, label, code, _, pieces = fields
            else:
                name, pieces, label, code = fields
            if _LABELS.get(label) not in _LABELS.values():
                problems.append(DataError(path, "neither DIAGNOSTICO nor PROCEDIMIENTO", number))
            elif _LABELS[label] in wanted:
                ends = pieces.replace(";", " ").split()
                if not ends or not all(_OFFSET.fullmatch(end) for end in ends):
                    problems.append(DataError(path, "offsets are no numbers", number))
                else:
                    offsets = [int(end) for end in ends]
                    found[name].append((code, min(offsets), max(offsets)))
    if problems:
        raise DataErrors(problems)
    return found


def _rows(
    path: Path, counts: Sequence[int], problems: list[DataError]
) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(path), start=1):
        values = line.split("\t")
        if len(values) not in counts:
            wanted = " or ".join(map(str, counts))
            problems.append(DataError(path, f"{len(values)} fields, not {wanted}", number))
        else:
            yield number, values
