"""What every corpus adapter is."""

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
        split: The notes to score.
        training: The notes that codes are counted in and examples are taken from; None where there are
            none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: str = "test"
    training: str | None = "train"


class BenchmarkCorpus(ABC):
    """Reads the notes of a corpus, each split on its own.

    Attributes:
        name: As `cclearn benchmark NAME` calls it.
        summary: One line for `cclearn benchmark --list`.
        options_type: Its options.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    options_type: ClassVar[type[CorpusOptions]] = CorpusOptions

    @abstractmethod
    def read(
        self, folder: Path, split: str, options: Any, system: CodeSystem
    ) -> Iterator[CodedNote]:
        """Stream the coded notes of a split, codes in the official spelling.

        Raises:
            DataError: A file is missing or is not what it should be.
        """


def corpus_names() -> list[str]:
    """Return the names of all corpora."""
    return CORPORA.names()


def find_corpus(name: str) -> BenchmarkCorpus:
    """Return a corpus by name. Raises ConfigurationError when there is none."""
    corpus: BenchmarkCorpus = CORPORA.find(name, BenchmarkCorpus)()
    return corpus


def all_corpora() -> dict[str, BenchmarkCorpus]:
    """Return every corpus by name. A plug-in that cannot be imported is left out with a warning."""
    return {name: corpus() for name, corpus in CORPORA.find_all(BenchmarkCorpus).items()}


def options_of(corpus: BenchmarkCorpus, settings: dict[str, Any]) -> CorpusOptions:
    """Check options, all of them at once. Raises ConfigurationError."""
    return checked_settings(corpus.options_type, settings, corpus.name)
