"""The base class of benchmark corpora, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote
from cclearn.registry import CORPORA, checked_settings


class CorpusOptions(BaseModel):
    """Options that all corpora share.

    Attributes:
        split: Name of the split to score.
        training: Name of the split in which codes are counted and from which examples are taken; None if
            there is no such split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: str = "test"
    training: str | None = "train"


class BenchmarkCorpus(ABC):
    """Base class of corpora, which read coded notes by split.

    Attributes:
        name: Name of the corpus in `cclearn benchmark NAME`.
        summary: Description of the corpus in `cclearn benchmark --list`, one line.
        options_type: Class of the corpus's options.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    options_type: ClassVar[type[CorpusOptions]] = CorpusOptions

    @abstractmethod
    def read(
        self, folder: Path, split: str, options: Any, system: CodeSystem
    ) -> Iterator[CodedNote]:
        """Stream the coded notes of a split, with codes in the official spelling.

        Args:
            folder: Folder with the files of the corpus.
            split: Name of the split.
            options: Options of the corpus, an instance of `options_type`.
            system: The code system.

        Raises:
            DataError: A file is missing or malformed.
        """


def corpus_names() -> list[str]:
    """Return the names of all corpora."""
    return CORPORA.names()


def find_corpus(name: str) -> BenchmarkCorpus:
    """Return a corpus by name.

    Raises:
        ConfigurationError: There is no corpus of this name.
    """
    corpus: BenchmarkCorpus = CORPORA.find(name, BenchmarkCorpus)()
    return corpus


def all_corpora() -> dict[str, BenchmarkCorpus]:
    """Return every corpus by name. A plug-in that cannot be imported is left out with a warning."""
    return {name: corpus() for name, corpus in CORPORA.find_all(BenchmarkCorpus).items()}


def options_of(corpus: BenchmarkCorpus, settings: dict[str, Any]) -> CorpusOptions:
    """Return the options of a corpus.

    Args:
        corpus: The corpus.
        settings: Values of the options, by name.

    Raises:
        ConfigurationError: Options are unknown or invalid. The error lists all of them.
    """
    return checked_settings(corpus.options_type, settings, corpus.name)
