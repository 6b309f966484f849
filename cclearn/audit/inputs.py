"""The notes that an audit reads. They are read again for each check, so that memory stays bounded."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cclearn.bulk.folder import coded_sha256, read_coded
from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes import CodedNote

NOTES_FILE = "notes.jsonl"
"""Name of the file of coded notes in a folder that a builder wrote."""

Progress = Callable[[Iterable[CodedNote], str], Iterable[CodedNote]]
"""A function that shows the progress of reading notes under a title, and returns the notes."""


@dataclass(frozen=True, slots=True)
class NoteSet:
    """Coded notes that can be read several times.

    Attributes:
        path: Path of the JSONL or Parquet file, or of the folder of a run of `cclearn code`.
        system: Code system in whose spelling codes are returned.
        progress: Function that shows the progress; None shows nothing.
    """

    path: Path
    system: CodeSystem
    progress: Progress | None = None

    @classmethod
    def find(cls, path: Path, system: CodeSystem, progress: Progress | None = None) -> NoteSet:
        """Return the notes in a file, in the folder of a builder, or in that of a run of `cclearn code`.

        Args:
            path: Path of the file or of the folder.
            system: Code system of the notes.
            progress: Function that shows the progress; None shows nothing.

        Raises:
            DataError: There is no such file, or the folder contains no notes.
        """
        if not path.exists():
            raise DataError(path, "no such file or folder")
        if (path / NOTES_FILE).is_file():
            path = path / NOTES_FILE
        elif path.is_dir() and not (path / "shards").is_dir():
            raise DataError(
                path,
                f"contains no {NOTES_FILE}, and is not a folder of `cclearn code`. Name a file of coded"
                " notes.",
            )
        return cls(path, system, progress)

    def read(self, title: str) -> Iterator[CodedNote]:
        """Yield the notes in their order.

        Args:
            title: Title of the progress bar.

        Raises:
            DataError: A row is not a coded note.
        """
        notes = read_coded(self.path, self.system)
        return iter(self.progress(notes, title) if self.progress else notes)

    def texts(self, title: str, ids: list[str] | None = None) -> Iterator[str]:
        """Yield the texts of the notes in their order.

        Args:
            title: Title of the progress bar.
            ids: List that receives the ids of the notes. With None, the ids are not kept.

        Raises:
            DataError: A row is not a coded note.
        """
        for note in self.read(title):
            if ids is not None:
                ids.append(note.id)
            yield note.text

    def sha256(self) -> str:
        """Return the hash of the file, or of the shards of the run."""
        return coded_sha256(self.path)


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a corpus.

    Attributes:
        notes: Number of notes.
        words: Number of words, which white space separates.
    """

    notes: int
    words: int

    @classmethod
    def of(cls, notes: NoteSet, title: str) -> Size:
        """Count the notes and the words of a corpus.

        Args:
            notes: The corpus.
            title: Title of the progress bar.
        """
        lengths = [len(text.split()) for text in notes.texts(title)]
        return cls(len(lengths), sum(lengths))


def sample_notes(notes: Iterable[CodedNote], size: int, seed: int) -> list[CodedNote]:
    """Return a random sample of notes in their order, in one pass and in memory for the sample only.

    This is reservoir sampling (Vitter 1985, algorithm R).

    Args:
        notes: Notes to draw from.
        size: Largest number of notes. All notes are returned if there are not more.
        seed: Seed of the sample.
    """
    rng = random.Random(f"sample {seed}")  # noqa: S311 - reproducible
    kept: list[tuple[int, CodedNote]] = []
    for number, note in enumerate(notes):
        if len(kept) < size:
            kept.append((number, note))
        elif (place := rng.randrange(number + 1)) < size:
            kept[place] = (number, note)
    return [note for _, note in sorted(kept, key=lambda numbered: numbered[0])]
