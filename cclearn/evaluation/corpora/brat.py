"""Annotations in brat's standoff format: `NAME.txt` with `NAME.ann`, in a folder or in those below it.

The code of a span is the type of its annotation (`T1`), or, because brat's types have no dots, that of a
normalisation (`N1 Reference T1 ICD10CM:I21.4`) or of an annotator's note (`#1 AnnotatorNotes T1 I21.4`).
The format is described at https://brat.nlplab.org/standoff.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora.annotations import Label, labelled_note
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.code_columns import LIKE_A_CODE
from cclearn.notes import CodedNote
from cclearn.runtime.files import read_lines, read_text

_SPAN = re.compile(r"(T\S+)\t(\S+) ([0-9; ]+)\t(.*)")
_REFERENCE = re.compile(r"N\S*\tReference (T\S+) ([^\t]+)(?:\t.*)?")
_NOTE = re.compile(r"#\S*\tAnnotatorNotes (T\S+)\t(.+)")
_OTHER = ("R", "E", "A", "M", "*", "N", "#")
"""First characters of the other lines, which have no codes."""


class BratOptions(CorpusOptions):
    """Options of brat.

    Attributes:
        split: Name of a folder below the given one; `all` for the given one.
        training: Name of the folder in which codes are counted and from which examples are taken; None
            if there is none.
    """

    split: str = ALL
    training: str | None = None


class Brat(Corpus):
    """Reads the notes of a folder in the order of their names.

    Evidence in several fragments is read as one span, which includes the words between the fragments.
    """

    name = "brat"
    summary = "Annotations in brat's standoff format, with codes as types, references or notes."
    options_type = BratOptions

    def rows(
        self, folder: Path, split: str, options: BratOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes. A text without an `.ann` file has no codes.

        Raises:
            DataError: There is no text.
        """
        part = folder if split == ALL else folder / split
        texts = sorted(part.rglob("*.txt")) if part.is_dir() else []
        if not texts:
            raise DataError(part, "contains no .txt file: not a folder of brat")
        for path in texts:
            text = read_text(path)
            identifier = path.relative_to(part).with_suffix("").as_posix()
            labels: list[Label] = []
            annotated = path.with_suffix(".ann")
            for label in _labels(annotated, identifier, system) if annotated.exists() else ():
                if isinstance(label, UnusableRow):
                    yield label
                else:
                    labels.append(label)
            yield from labelled_note(path, identifier, text, labels, system)


def _labels(path: Path, note: str, system: CodeSystem) -> Iterator[Label | UnusableRow]:
    """Yield the labels of an `.ann` file, and its lines that cannot be read.

    An annotator's note that does not begin with a code is a comment.
    """
    spans: dict[str, Label] = {}
    codes: dict[str, list[str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if found := _SPAN.fullmatch(line):
            name, kind, pieces, quote = found.groups()
            offsets = [int(offset) for offset in pieces.replace(";", " ").split()]
            if len(offsets) < 2 or len(offsets) % 2:
                yield UnusableRow(path, "offsets are no pairs of numbers", number, note)
                continue
            # The quote of a span in several fragments leaves out the words between them.
            whole = quote if len(offsets) == 2 else None
            spans[name] = Label(kind, min(offsets), max(offsets), whole)
        elif found := _REFERENCE.fullmatch(line):
            name, reference = found.groups()
            codes.setdefault(name, []).append(reference.rpartition(":")[2].strip())
        elif found := _NOTE.fullmatch(line):
            words = found[2].split()
            if words and (LIKE_A_CODE.fullmatch(words[0]) or words[0] in system):
                codes.setdefault(found[1], []).append(words[0])
        elif line.strip() and not line.startswith(_OTHER):
            yield UnusableRow(path, "not a line of brat", number, note)
    for name, label in spans.items():
        for code in codes.get(name, [label.code]):
            yield Label(code, label.start, label.end, label.quote)
