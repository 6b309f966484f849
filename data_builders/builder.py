"""The base class of builders, and the rows that they yield."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError, shown_id
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_rows
from cclearn.registry import BUILDERS, checked_settings
from data_builders.parallel import ParallelMap, in_process

NOT_BILLABLE = "not a billable code of the release"
"""Reason of a rejected row."""


class RejectedRow(BaseModel):
    """A row that a builder does not include in its data, and the reason.

    Attributes:
        text: String of a span pair, or id of a note.
        code: Code of the row.
        reason: Short reason, which is the same for all rows of its kind and is counted in `stats.json`.
        detail: Further information about this row, for example the codes that claim the string.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    code: str
    reason: str
    detail: str = ""


class AmbiguousString(BaseModel):
    """A string that several codes claim equally strongly. No pair is built for it.

    Attributes:
        text: The ambiguous string.
        codes: Codes that claim it.
        source: Source of the first claim.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    codes: tuple[str, ...]
    source: str


class BuilderConfig(BaseModel):
    """Settings that all builders share.

    Attributes:
        seed: Seed of all random choices.
    """

    # YAML and the command line yield numbers for settings such as a chapter.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    seed: int = 0

    def inputs(self) -> list[Path]:
        """Return the paths in the settings."""
        values = [getattr(self, name) for name in type(self).model_fields]
        items = [i for value in values for i in (value if isinstance(value, tuple) else (value,))]
        return [item for item in items if isinstance(item, Path)]


BuiltRow = SpanPair | CodedNote | RejectedRow | AmbiguousString
"""Items that a builder yields: data, and what is left out of the data."""


class Builder(ABC):
    """Base class of builders, which turn settings into rows.

    Attributes:
        name: Name of the builder for `cclearn build NAME`.
        summary: One-line description for `cclearn build --list`.
        config_type: Class of the settings.
        row_type: Class of the rows in the first file.
        data_file: Name of the JSONL file of the rows, if there is only one. A Parquet file of the same
            rows is written beside each JSONL file.
        keeps_shared_strings: Whether a string may have span pairs with several codes. Otherwise such a
            string is ambiguous, and has no pair.
        provenance: Further entries of the manifest, e.g. the hash of a model, which `rows` sets.
        statistics: Further entries of `stats.json`, which `rows` sets by its last row.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    config_type: ClassVar[type[BuilderConfig]]
    row_type: ClassVar[type[SpanPair | CodedNote]]
    data_file: ClassVar[str]
    keeps_shared_strings: ClassVar[bool] = False
    provenance: Mapping[str, Any] = MappingProxyType({})
    statistics: Mapping[str, Any] = MappingProxyType({})

    @abstractmethod
    def rows(
        self, config: Any, system: CodeSystem, parallel_map: ParallelMap = in_process
    ) -> Iterator[BuiltRow]:
        """Yield rows, rejected rows and ambiguous strings.

        The result depends only on the settings and the code system.

        Args:
            config: Settings of the builder.
            system: Code system of the rows.
            parallel_map: Map that runs the expensive step. It does not influence the result.
        """

    def data_files(self, config: Any) -> dict[str, type[SpanPair | CodedNote]]:
        """Return the class of the rows in each JSONL file, by the name of the file.

        Args:
            config: Settings of the builder.
        """
        return {self.data_file: self.row_type}

    def file_of(self, row: Any, config: Any) -> str:
        """Return the name of the file that a row is written to.

        Args:
            row: A span pair or a coded note.
            config: Settings of the builder.
        """
        return self.data_file

    def plan(self, config: Any, system: CodeSystem) -> list[str]:
        """Return what a dry run shows of the rows of a build, line by line.

        Args:
            config: Settings of the builder.
            system: Code system of the rows.
        """
        return []

    def check(self, config: Any, system: CodeSystem) -> list[str] | None:
        """Return the problems of the content that the settings name.

        Args:
            config: Settings of the builder.
            system: Code system of the rows.

        Returns:
            The problems, one line each. None if the builder has no content to check.
        """
        return None

    @abstractmethod
    def has_parallel_step(self, config: Any) -> bool:
        """Return whether these settings require an expensive step that `parallel_map` runs.

        Args:
            config: Settings of the builder.
        """


def builder_names() -> list[str]:
    """Return the names of all builders."""
    return BUILDERS.names()


def find_builder(name: str) -> Builder:
    """Return a builder by name. Raises ConfigurationError if there is none."""
    builder: Builder = BUILDERS.find(name, Builder)()
    return builder


def all_builders() -> dict[str, Builder]:
    """Return every builder by name. A plug-in that cannot be imported is left out with a warning."""
    return {name: builder() for name, builder in BUILDERS.find_all(Builder).items()}


def require_system(builder: Builder, name: str, system: CodeSystem) -> None:
    """Raise ConfigurationError if a builder requires another code system.

    Args:
        builder: Builder, for the message.
        name: Name of the code system that the builder requires.
        system: Code system of the build.
    """
    if system.name != name:
        raise ConfigurationError(
            [
                f"code system (system = {system.name}): the builder {builder.name} only reads"
                f" {name}. Use user_table for titles and synonyms of any system."
            ]
        )


def read_pairs(path: Path, system: CodeSystem) -> Iterator[SpanPair]:
    """Yield the span pairs of a file, which must belong to a code system.

    Args:
        path: Path of the file.
        system: Code system of the pairs.

    Raises:
        DataError: The file is invalid, or contains pairs of another code system.
    """
    for pair in read_rows(path, SpanPair):
        if pair.system != system.name:
            problem = f"'{shown_id(pair.id)}' is of {shown_id(pair.system)}, not of {system.name}"
            raise DataError(path, problem, field="system")
        yield pair


def configure(builder: Builder, settings: dict[str, Any]) -> BuilderConfig:
    """Return checked settings. Raises ConfigurationError, which lists all problems.

    Args:
        builder: Builder that the settings are for.
        settings: Values by the names of the settings.
    """
    return checked_settings(builder.config_type, settings, builder.name)
