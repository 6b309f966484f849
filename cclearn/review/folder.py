"""The folder of a review: its settings, and a log for each reviewer.

review.json            settings that must not change during a review; where the notes are
decisions/NAME.jsonl   the log of a reviewer
notes.jsonl            a copy of the notes, if they were not lines of JSON
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cclearn.errors import CclearnError, ConfigurationError, DataError, shown_id
from cclearn.notes.columns import NoteColumns
from cclearn.review.log import LogReader, ReviewLog, checked_reviewer
from cclearn.review.note_index import NoteIndex, index_notes
from cclearn.runtime.durable import make_folder
from cclearn.runtime.files import read_text, write_json

SETTINGS, DECISIONS, COPY = "review.json", "decisions", "notes.jsonl"
_NEXT_COPY = ".notes.next.jsonl"
"""Name of the copy until the notes are found to be those of the review."""


class ReviewSettings(BaseModel):
    """Settings of a review, which are the same for all of its reviewers.

    Attributes:
        seed: Seed of the random choices.
        without_proposals: Share of the notes that are shown without the codes of the coder, which
            reviewers would otherwise accept unread.
        kept_apart: Share of the notes that are kept apart for honest scores: `cclearn review export`
            does not write them to the training rows.
        system: Name of the code system.
        release: Absolute path of the official file of the release. None for the release of the package.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0)
    without_proposals: float = Field(default=0.1, ge=0, le=1)
    kept_apart: float = Field(default=0.15, ge=0, le=1)
    system: str = "icd10cm"
    release: str | None = None


class NotesPlace(BaseModel):
    """Where the notes of a review are.

    Attributes:
        paths: Absolute paths of the files and folders.
        text: Name of the column with the text; None for `text`.
        id: Name of the column with the id; None for `id`.
        copied: Whether the folder has a copy of the notes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[str, ...]
    text: str | None = None
    id: str | None = None
    copied: bool = False


class ReviewFolder:
    """The folder of a review.

    Args:
        path: Path of the folder.
        settings: Settings of the review.
        notes: Where the notes are.
    """

    def __init__(self, path: Path, settings: ReviewSettings, notes: NotesPlace) -> None:
        self.path = path
        self.settings = settings
        self.notes = notes

    @classmethod
    def start(
        cls, path: Path, given: dict[str, Any], paths: Sequence[Path], columns: NoteColumns
    ) -> ReviewFolder:
        """Return the folder of a review that begins or continues. `save` completes the start.

        Args:
            path: Path of the folder, which is created if it is missing.
            given: Settings that the user has given. The others are those of the folder, or the defaults.
            paths: Files and folders with the notes.
            columns: Names of the columns.

        Raises:
            ConfigurationError: A given setting is invalid, or differs from that of the folder.
            CclearnError: The folder contains other files.
        """
        notes = NotesPlace(
            paths=tuple(str(p.resolve()) for p in paths), text=columns.text, id=columns.id
        )
        if (path / SETTINGS).exists():
            known = cls.open(path)
            different = [
                f"{key} (given: {value}): the review began with {getattr(known.settings, key)}. Omit the"
                " option, or name another --out."
                for key, value in given.items()
                if getattr(known.settings, key) != value
            ]
            if different:
                raise ConfigurationError(different)
            folder = cls(path, known.settings, notes)
        else:
            if path.exists() and (not path.is_dir() or _other_files(path)):
                raise CclearnError(
                    f"output (out = {path}): it exists, and is not the folder of a review. Name another"
                    " with --out."
                )
            make_folder(path)
            folder = cls(path, ReviewSettings.model_validate(given), notes)
        return folder

    def save(self, index: NoteIndex) -> None:
        """Write the settings after the notes were read and found to be those of the review.

        Args:
            index: Index that `index` returned.
        """
        is_copy = index.files == (self.path / _NEXT_COPY,)
        if is_copy:
            index.rename(self.path / COPY)
        notes = self.notes = self.notes.model_copy(update={"copied": is_copy})
        content = {"settings": self.settings.model_dump(), "notes": notes.model_dump()}
        write_json(self.path / SETTINGS, content)

    @classmethod
    def open(cls, path: Path) -> ReviewFolder:
        """Open the folder of a review.

        Raises:
            DataError: It is not the folder of a review.
        """
        settings = path / SETTINGS
        if not settings.is_file():
            raise DataError(path, "it is not the folder of a review: review.json is missing")
        try:
            content = json.loads(read_text(settings))
            return cls(
                path,
                ReviewSettings.model_validate(content["settings"]),
                NotesPlace.model_validate(content["notes"]),
            )
        except (ValueError, KeyError, TypeError, ValidationError):
            raise DataError(
                settings, "not the settings of a review. Name another folder."
            ) from None

    def index(self) -> NoteIndex:
        """Read the notes that the user has named, in a folder that is locked. Raises CclearnError."""
        next_copy = self.path / _NEXT_COPY
        next_copy.unlink(missing_ok=True)
        columns = NoteColumns(self.notes.text, self.notes.id)
        return index_notes([Path(path) for path in self.notes.paths], columns, next_copy)

    def reviewed_index(self) -> NoteIndex:
        """Read the notes of the last start, or the copy of them. Raises CclearnError."""
        if self.notes.copied:
            return NoteIndex([self.path / COPY])
        return self.index()

    def log(self, reviewer: str) -> ReviewLog:
        """Open the log of a reviewer for appending. Raises CclearnError."""
        folder = self.path / DECISIONS
        known = {path.stem.casefold(): path.stem for path in folder.glob("*.jsonl")}
        other = known.get(reviewer.casefold(), reviewer)
        if other != reviewer:
            raise CclearnError(
                f"reviewer (reviewer = {shown_id(reviewer)}): there is a reviewer {other}, and names"
                " that differ in capitals only are confused. Use the same spelling, or another name."
            )
        return ReviewLog(folder / f"{checked_reviewer(reviewer)}.jsonl")

    def logs(self) -> list[LogReader]:
        """Open the logs of all reviewers for reading, in the order of their names.

        Raises:
            DataError: A log cannot be read.
        """
        return [LogReader(path) for path in sorted((self.path / DECISIONS).glob("*.jsonl"))]


def _other_files(path: Path) -> list[Path]:
    """Return the files of a folder that no start of a review has left before its settings."""
    return [p for p in path.iterdir() if not (p.name.startswith(".") or p.name == DECISIONS)]


def check_same_corpus(corpus: NoteIndex, log: LogReader) -> int:
    """Return the number of notes of a log that the corpus lacks.

    Raises:
        CclearnError: It lacks all of them, so that it is another corpus.
    """
    missing = sum(note not in corpus.positions for note in log.notes)
    if missing and missing == len(log.notes):
        raise CclearnError(
            f"notes (log = {log.path}): none of the {missing} reviewed notes is among these notes. It is"
            " another corpus: name the notes of this review, or another --out."
        )
    return missing
