"""The base class of corpora, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from cclearn.codes import CodeSystem
from cclearn.errors import DataError, DataErrors, shown_id
from cclearn.notes import CodedNote
from cclearn.registry import CORPORA, checked_settings

ALL = "all"
"""Name of the split that contains all notes of a corpus."""


class UnusableRow(DataError):
    """A row of a corpus that gives no note, or a code that a note does not receive.

    Args:
        path: Path of the file.
        problem: Description of the problem, which is the same for all rows of its kind. It has no text
            of a note.
        line: Number of the line, from 1; None if the row is not one line.
        note: Id of the note; empty if it is not known.
        code: The code as it was written; empty if the problem is not that of a code.
        detail: What is particular to this row, e.g. an offset. It has no text of a note.
        expected: Whether the published corpus has such rows. They are no error of the user.
    """

    def __init__(
        self,
        path: object,
        problem: str,
        line: int | None = None,
        note: str = "",
        code: str = "",
        detail: str = "",
        expected: bool = False,
    ) -> None:
        self.problem, self.note, self.code, self.detail = problem, note, code, detail
        self.expected = expected
        subject = f"note {shown_id(note)}: " if note else ""
        subject += f"code {shown_id(code)}: " if code else ""
        super().__init__(path, subject + problem + (f" ({detail})" if detail else ""), line)


class CorpusOptions(BaseModel):
    """Options that all corpora share.

    Attributes:
        split: Name of the split to score. `all` is the whole corpus.
        training: Name of the split in which codes are counted and from which examples are taken; None if
            there is no such split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: str = "test"
    training: str | None = "train"


class Corpus(ABC):
    """Base class of corpora, which read coded notes by split.

    Attributes:
        name: Name of the corpus in `cclearn benchmark NAME` and `cclearn build corpus format=NAME`.
        summary: Description of the corpus in `cclearn benchmark --list`, one line.
        options_type: Class of the corpus's options.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    options_type: ClassVar[type[CorpusOptions]] = CorpusOptions

    @abstractmethod
    def rows(
        self, folder: Path, split: str, options: Any, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes of a split, and an `UnusableRow` for each row that gives none.

        Args:
            folder: Folder with the files of the corpus, or its only file.
            split: Name of the split, `all` for the whole corpus.
            options: Options of the corpus, an instance of `options_type`.
            system: The code system, which provides the official spelling of the codes.

        Raises:
            DataError: A file is missing, or none of its rows can be read.
        """

    def read(
        self, folder: Path, split: str, options: Any, system: CodeSystem
    ) -> Iterator[CodedNote]:
        """Stream the coded notes of a split. The arguments are those of `rows`.

        Raises:
            DataError: A file is missing or malformed. All rows that cannot be used are reported together
                after the last note, except those that are expected.
        """
        problems: list[DataError] = []
        for row in self.rows(folder, split, options, system):
            if not isinstance(row, UnusableRow):
                yield row
            elif not row.expected:
                problems.append(row)
        if problems:
            raise problems[0] if len(problems) == 1 else DataErrors(problems)


def corpus_names() -> list[str]:
    """Return the names of all corpora."""
    return CORPORA.names()


def find_corpus(name: str) -> Corpus:
    """Return a corpus by name.

    Raises:
        ConfigurationError: There is no corpus of this name.
    """
    corpus: Corpus = CORPORA.find(name, Corpus)()
    return corpus


def all_corpora() -> dict[str, Corpus]:
    """Return every corpus by name. A plug-in that cannot be imported is left out with a warning."""
    return {name: corpus() for name, corpus in CORPORA.find_all(Corpus).items()}


def options_of(corpus: Corpus, settings: dict[str, Any]) -> CorpusOptions:
    """Return the options of a corpus.

    Args:
        corpus: The corpus.
        settings: Values of the options, by name.

    Raises:
        ConfigurationError: Options are unknown or invalid. The error lists all of them.
    """
    return checked_settings(corpus.options_type, settings, corpus.name)
