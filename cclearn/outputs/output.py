"""The base class of output formats, and the choice of a format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from inspect import signature
from pathlib import Path
from typing import ClassVar

from cclearn.errors import ConfigurationError, did_you_mean
from cclearn.notes import CodedNote
from cclearn.registry import OUTPUTS
from cclearn.runtime.files import atomic_file


class Output(ABC):
    """Writes coded notes in constant memory. The same notes always give the same bytes.

    Attributes:
        name: Name of the format, as in `cclearn code --format NAME`.

    Args:
        out: Path of the output file; None for standard output.

    Raises:
        ConfigurationError: The format cannot be written to that path.
    """

    name: ClassVar[str]

    def __init__(self, out: Path | None = None) -> None:
        self.out = out

    @abstractmethod
    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield the text of the file in pieces.

        Args:
            notes: Coded notes, which are read once.

        Raises:
            CclearnError: The format cannot represent a note.
        """

    def write(self, notes: Iterable[CodedNote], overwrite: bool = True) -> int:
        """Write the file atomically. Only its owner can read it.

        Args:
            notes: Coded notes, which are read once.
            overwrite: Whether an existing file is replaced, including a file that another process
                has written while these notes were coded.

        Returns:
            The number of notes that were written.

        Raises:
            CclearnError: The format cannot represent a note, the file exists and `overwrite` is
                false, or another process is writing it.
        """
        if self.out is None:
            raise ValueError("the output has no path")
        written = 0

        def counted() -> Iterator[CodedNote]:
            nonlocal written
            for note in notes:
                written += 1
                yield note

        with atomic_file(self.out, overwrite) as stream:
            for chunk in self.chunks(counted()):
                stream.write(chunk.encode("utf-8"))
        return written


_SUFFIXES = {
    ".csv": "csv",
    ".htm": "html",
    ".html": "html",
    ".jsonl": "jsonl",
    ".ndjson": "fhir",
    ".tsv": "tsv",
    ".xlsx": "xlsx",
}


def format_names() -> list[str]:
    """Return the names of all formats."""
    return OUTPUTS.names()


def find_output(
    out: Path | None = None, name: str | None = None, concepts: Path | None = None
) -> Output:
    """Return the output for a file.

    Args:
        out: Path of the output file; None for standard output.
        name: Name of the format; None to choose it by the suffix of the file. The default for standard
            output is JSONL.
        concepts: Vocabulary of the format `omop`, which no other format has. None for none.

    Raises:
        ConfigurationError: The format or the suffix is unknown, or the format cannot be written to that
            path or has no concepts.
    """
    if name is None:
        name = "jsonl" if out is None else _format_of(out)
    found = OUTPUTS.find(name, Output)
    if concepts is not None and "concepts" not in signature(found).parameters:
        raise ConfigurationError(
            [f"concepts (format = {name}): only omop has concepts. Omit --concepts."]
        )
    output: Output = found(out) if concepts is None else found(out, concepts=concepts)
    return output


def _format_of(out: Path) -> str:
    suffix = out.suffix.lower()
    if suffix not in _SUFFIXES:
        hint = did_you_mean(suffix, _SUFFIXES)
        known = ", ".join(f"{ending} ({name})" for ending, name in _SUFFIXES.items())
        raise ConfigurationError(
            [
                f"output (out = {out}): its suffix is not that of a format.{hint} Use {known},"
                f" or pass --format: {', '.join(format_names())}."
            ]
        )
    return _SUFFIXES[suffix]
