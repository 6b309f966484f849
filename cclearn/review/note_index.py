"""The notes under review: an index of their positions in files, from which each is read on demand."""

from __future__ import annotations

import os
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from cclearn.bulk.folder import MANIFEST, SHARDS, coded_files
from cclearn.codes import CodeSystem
from cclearn.errors import DataError, shown_id
from cclearn.notes import CodedNote, Note
from cclearn.notes.columns import NoteColumns
from cclearn.notes.fhir_documents import is_resource
from cclearn.notes.inputs import NoteSource, read_source
from cclearn.notes.jsonl import decode_json, parse_row, read_coded_notes, write_rows
from cclearn.notes.parquet import column_names
from cclearn.runtime.files import sha256_of_file, sha256_of_text
from cclearn.runtime.parsing import read_json


@dataclass(frozen=True, slots=True)
class ProposedCodes:
    """The proposed codes of all notes, as columns for ordering and filtering.

    Attributes:
        names: Distinct codes.
        codes: Index into `names` of each proposal, note after note.
        starts: Position in `codes` at which each note begins, with the total at the end.
        scores: Score of each proposal; NaN where there is none.
        flagged: Whether each note has a flag, or a code with one.
        words: Estimated number of words of each note.
    """

    names: tuple[str, ...]
    codes: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    flagged: npt.NDArray[np.bool_]
    words: npt.NDArray[np.int32]

    @property
    def has_scores(self) -> bool:
        """Whether any proposal has a score."""
        return bool(np.isfinite(self.scores).any())

    def sums(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the sum over the proposals of each note.

        Args:
            values: Array with a value for each proposal.
        """
        totals = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        sums: npt.NDArray[np.float64] = totals[self.starts[1:]] - totals[self.starts[:-1]]
        return sums

    def having(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return for each note whether any of its proposals is chosen.

        Args:
            chosen: Array with True for each proposal that is chosen.
        """
        return self.sums(chosen) > 0


class NoteIndex:
    """Notes in files of JSON lines, which are read by their number.

    Attributes:
        files: Files of the notes.
        ids: Ids of the notes.
        positions: Number of each note, by its id.
        is_coded: Whether the notes have codes.
        systems: Names of the code systems of the codes.
        proposed: Codes of the notes.

    Args:
        files: Files of notes or of coded notes.
        model: Name and hash of the coder of coded notes, as far as they are known.
        release: Release of that coder; None if it is not known.

    Raises:
        DataError: A line is not an object with an id, or an id occurs twice. Texts and evidence are
            checked when a note is read.
    """

    def __init__(
        self,
        files: Sequence[Path],
        model: tuple[str, str] = ("unknown", ""),
        release: str | None = None,
    ) -> None:
        self.model = model
        self.release = release
        self.files = tuple(files)
        self._places, self._lengths = array("Q"), array("Q")
        self.ids: list[str] = []
        self.is_coded = False
        self.systems: set[str] = set()
        self.proposed = self._index()
        self.positions = {identifier: n for n, identifier in enumerate(self.ids)}
        if len(self.positions) < len(self.ids):
            twice = next(i for n, i in enumerate(self.ids) if self.positions[i] != n)
            path = self.files[self._places[self.positions[twice]] >> 48]
            raise DataError(path, f"'{shown_id(twice)}' occurs twice", field="id")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def sha256(self) -> str:
        """Hash of the files. It takes longer than the index, and a page does not need it."""
        hashes = [sha256_of_file(path) for path in self.files]
        return hashes[0] if len(hashes) == 1 else sha256_of_text("\n".join(hashes))

    def use_spelling(self, system: CodeSystem) -> None:
        """Spell the proposed codes as a code system does."""
        names = (system.canonical(n) if n in system else n for n in self.proposed.names)
        self.proposed = replace(self.proposed, names=tuple(names))

    def rename(self, path: Path) -> None:
        """Give the only file another name."""
        os.replace(self.files[0], path)
        self.files = (path,)

    def read(self, position: int) -> CodedNote:
        """Return a note, without codes if nobody has coded it.

        Raises:
            DataError: The line is not a note, evidence is not in its text, or the file was changed since
                the index was made.
        """
        number, offset = divmod(self._places[position], 1 << 48)
        path = self.files[number]
        try:
            with path.open("rb") as stream:
                stream.seek(offset)
                line = stream.read(self._lengths[position]).removeprefix(BOM_UTF8)
        except OSError as error:
            raise DataError(path, f"cannot be read: {error.strerror}") from None
        try:
            fields = decode_json(line, path.name, position + 1)
            is_the_note = NoteColumns().identifier(fields) == self.ids[position]
        except DataError:
            is_the_note = False
        if not is_the_note:
            raise DataError(path, "the file was changed. Start the review again")
        if "codes" in fields:
            return parse_row(fields, CodedNote, path.name, position + 1)
        note = NoteColumns().note(fields, path.name, position + 1)
        return CodedNote(id=note.id, text=note.text, origin=note.origin)

    def _index(self) -> ProposedCodes:
        names: dict[str, int] = {}
        codes, scores = array("i"), array("f")
        starts, words, flagged = array("q", [0]), array("i"), bytearray()
        for row, path, number in self._rows():
            try:
                assigned = row.get("codes") or []
                self.is_coded |= "codes" in row
                for code in assigned:
                    name, score = code["code"], code.get("score")
                    known = names.get(name)
                    if known is None:
                        known = names[_string(name)] = len(names)
                    codes.append(known)
                    scores.append(nan if score is None else score)
                    if (system := code.get("system", "icd10cm")) not in self.systems:
                        self.systems.add(_string(system))
                starts.append(len(codes))
                words.append(len(_string(row.get("text") or "")) // _CHARACTERS_PER_WORD + 1)
                flagged.append(bool(row.get("flags")) or any(c.get("flags") for c in assigned))
            except (KeyError, TypeError, AttributeError):
                raise DataError(path, _NOT_A_NOTE, number) from None
        return ProposedCodes(
            tuple(names),
            np.array(codes, dtype=np.int32),
            np.array(starts, dtype=np.int64),
            np.array(scores, dtype=np.float32),
            np.frombuffer(bytes(flagged), dtype=np.bool_),
            np.array(words, dtype=np.int32),
        )

    def _rows(self) -> Iterator[tuple[Mapping[str, Any], Path, int]]:
        for number, path in enumerate(self.files):
            offset = 0
            with path.open("rb") as stream:
                for line_number, line in enumerate(stream, start=1):
                    if not line.isspace():
                        yield self._row(line, path, line_number), path, line_number
                        self._places.append((number << 48) + offset)
                        self._lengths.append(len(line))
                    offset += len(line)

    def _row(self, line: bytes, path: Path, number: int) -> Mapping[str, Any]:
        try:
            row = from_json(line.removeprefix(BOM_UTF8), cache_strings="keys")
            identifier = NoteColumns().identifier(row)
            if is_resource(row):
                raise _NotRowsError
            if not isinstance(identifier, str) or not identifier:
                raise DataError(path, "missing", number, "id")
        except (ValueError, TypeError, AttributeError):
            decode_json(line.removeprefix(BOM_UTF8), path, number)  # A damaged line says where.
            raise DataError(path, _NOT_A_NOTE, number) from None
        self.ids.append(identifier)
        return dict(row)


_NOT_A_NOTE = "not a note, or codes without `code`"


def _string(value: object) -> str:
    """Return a string. Raises TypeError for other values."""
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


class _NotRowsError(Exception):
    """A file has resources of FHIR, whose notes are copied."""


_CHARACTERS_PER_WORD = 6

_LINES = (".jsonl", ".ndjson")


def index_notes(paths: Sequence[Path], columns: NoteColumns, copy: Path) -> NoteIndex:
    """Return the index of the notes of a review.

    Notes that are not lines of JSON with the fields `id` and `text` are copied to a file first.

    Args:
        paths: A folder that `cclearn code` wrote, a Parquet file of coded notes, files of coded notes,
            or files and folders with notes.
        columns: Fields of notes in tables.
        copy: Path of the file for the copy.

    Raises:
        DataError: A path cannot be read, or a row of it is not a note.
    """
    (first, *others) = paths
    if not others and first.is_dir() and (first / SHARDS).is_dir():
        return NoteIndex(coded_files(first), *_coder_of(first))
    if all(path.suffix.lower() in _LINES for path in paths):
        if missing := [path for path in paths if not path.is_file()]:
            raise DataError(missing[0], "no such file")
        if columns == NoteColumns():
            with suppress(_NotRowsError):
                return NoteIndex(paths, (", ".join(path.name for path in paths), ""))
    notes: Iterator[Note]
    if not others and first.suffix == ".parquet" and "codes" in column_names(first):
        notes = read_coded_notes(first)
    else:
        notes = read_source(NoteSource(tuple(paths), columns))
    write_rows(copy, notes)
    return NoteIndex([copy])


def _coder_of(folder: Path) -> tuple[tuple[str, str], str]:
    """Return the name and the hash of the coder of a run, and its release."""
    manifest = read_json(folder / MANIFEST)
    coder = manifest["coder"]
    digest = coder["sha256"].get("model") or coder["lexicon_sha256"]
    return (coder["model"], digest), manifest["code_system"]["release"]
