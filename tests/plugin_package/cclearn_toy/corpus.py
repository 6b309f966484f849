"""A benchmark corpus: `cclearn benchmark toy --data FOLDER --model lexicon --out results/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora import Corpus, CorpusOptions, UnusableRow
from cclearn.notes import AssignedCode, CodedNote


class ToyCorpus(Corpus):
    """Reads `SPLIT.txt`: a note in each line, its code before a tab."""

    name = "toy"
    summary = "A text file for each split, as an example of a corpus."

    def rows(
        self, folder: Path, split: str, options: CorpusOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Yield the notes of a split, in the order of the file."""
        path = folder / f"{split}.txt"
        if not path.is_file():
            raise DataError(path, "no such file")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            code, _, text = line.partition("\t")
            codes = [AssignedCode(code=code, system=system.name)]
            yield CodedNote(id=f"{split}-{number}", text=text, codes=codes)
