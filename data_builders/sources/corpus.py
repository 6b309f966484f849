"""Coded notes from a corpus of the user or a published one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from cclearn.codes import CodeSystem
from cclearn.evaluation.corpora import (
    Corpus,
    CorpusOptions,
    UnusableRow,
    find_corpus,
    options_of,
)
from cclearn.evaluation.corpora.base import ALL
from cclearn.evaluation.corpora.user_tables import PATIENT
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.contract import Origin
from cclearn.rows.splits import hash_fraction
from data_builders.builder import Builder, BuilderConfig, BuiltRow, RejectedRow
from data_builders.parallel import ParallelMap, in_process


class CorpusConfig(BuilderConfig):
    """Settings of the builder. Further settings are those of the format (`cclearn benchmark --list`).

    Attributes:
        file: Path of the file or the folder.
        format: Format of the corpus: `table`, or a name in `cclearn benchmark --list`.
        split: Name of the published split to read; `all` for the whole corpus.
        parts: Share of the notes in each part, e.g. `{train: 0.8, dev: 0.1, test: 0.1}`. Each part is a
            file `PART.jsonl`. Notes are divided by the hash of the patient's id, or of their own id.
            Empty for one file `notes.jsonl`.
        origin: Origin of the texts. None for that of the format, which is `restricted` unless the corpus
            is public.
    """

    model_config = ConfigDict(extra="allow")

    file: Path
    format: str = "table"
    split: str = ALL
    parts: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    origin: Origin | None = None

    @model_validator(mode="after")
    def _settings_are_those_of_the_format(self) -> Self:
        if self.parts and abs(sum(self.parts.values()) - 1) > 1e-9:
            raise ValueError("parts: the shares must add up to 1")
        if not all(name.isidentifier() for name in self.parts):
            raise ValueError("parts: a name may have letters, digits and underscores only")
        self.options()
        return self

    def corpus(self) -> Corpus:
        """Return the corpus of the format. Raises ConfigurationError if there is none."""
        return find_corpus(self.format)

    def options(self) -> CorpusOptions:
        """Return the settings of the format. Raises ConfigurationError if one is unknown or invalid."""
        return options_of(self.corpus(), {**(self.model_extra or {}), "split": self.split})

    def inputs(self) -> list[Path]:
        """Return the paths in the settings, also those of the format."""
        options = self.options()
        others = [getattr(options, name) for name in type(options).model_fields]
        return [self.file, *(path for path in others if isinstance(path, Path))]


class CorpusBuilder(Builder):
    """Builder of the coded notes of a corpus, with the evidence that it has."""

    name = "corpus"
    summary = "Coded notes from tables, MIMIC, CodiEsp, MDACE, Label Studio, doccano or brat."
    config_type = CorpusConfig
    row_type = CodedNote
    data_file = "notes.jsonl"

    def data_files(self, config: CorpusConfig) -> dict[str, type[SpanPair | CodedNote]]:
        """Return a file for each part."""
        names = [f"{part}.jsonl" for part in config.parts] or [self.data_file]
        return dict.fromkeys(names, CodedNote)

    def file_of(self, row: CodedNote, config: CorpusConfig) -> str:
        """Return the file of the part that a note belongs to."""
        if not config.parts:
            return self.data_file
        fraction = hash_fraction(str(row.metadata.get(PATIENT) or row.id), config.seed)
        ends = zip(config.parts, accumulate(config.parts.values()), strict=True)
        part = next((part for part, end in ends if fraction < end), list(config.parts)[-1])
        return f"{part}.jsonl"

    def has_parallel_step(self, config: CorpusConfig) -> bool:
        """Return False, because notes are only read."""
        return False

    def rows(
        self,
        config: CorpusConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield the notes, and a rejected row for each row and each code that cannot be used.

        Raises:
            DataError: A file is missing, or none of its rows can be read.
        """
        changed: dict[str, Any] = {} if config.origin is None else {"origin": config.origin}
        read = config.corpus().rows(config.file, config.split, config.options(), system)
        for row in read:
            if isinstance(row, UnusableRow):
                where = "" if row.line is None else f"line {row.line}"
                detail = "; ".join(filter(None, (where, row.detail)))
                yield RejectedRow(text=row.note, code=row.code, reason=row.problem, detail=detail)
            else:
                yield row.model_copy(update=changed) if changed else row
