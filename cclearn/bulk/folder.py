"""The folder of a coded corpus: written shard by shard, so that no stop loses what is finished.

manifest.json        what decides every byte; the first file
shards/00000.jsonl   coded notes
shards/00000.done    the shard's marker, written behind it
rejected.jsonl       rows that were not coded, with the reason; when all shards are done
summary.json         counts and speed; the last file
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cclearn.bulk.shard import ROWS_THEMSELVES, CodedShard, Marker
from cclearn.bulk.summary import Pace, Summary, summarise
from cclearn.coding.identity import difference
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError, DataError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes, row_to_json
from cclearn.runtime.files import (
    atomic_file,
    read_text,
    sha256_of_file,
    sha256_of_text,
    write_json,
)
from cclearn.runtime.parsing import read_json

MANIFEST, REJECTED, SUMMARY, SHARDS = "manifest.json", "rejected.jsonl", "summary.json", "shards"


def run_hash(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest, which names the run in the markers of its shards."""
    return sha256_of_text(json.dumps(manifest, sort_keys=True, ensure_ascii=False))


def refuse_foreign(path: Path) -> None:
    """Raise CclearnError where a folder is a file, or holds what no run over a corpus wrote."""
    if path.is_file():
        raise CclearnError(f"output (out = {path}): it is a file. Name a folder.")
    if not path.is_dir():
        return
    # What a stop left half-written is hidden.
    names = {each.name for each in path.iterdir() if not each.name.startswith(".")}
    shards = path / SHARDS
    if shards.is_symlink():
        raise CclearnError(
            f"output (out = {path}): {SHARDS} is a symbolic link, through which nothing is written or"
            " removed. Remove it, or name another folder."
        )
    if shards.is_dir():
        names |= {f"{SHARDS}/{each.name}" for each in shards.iterdir() if not _is_ours(each.name)}
    if strange := sorted(names - {MANIFEST, REJECTED, SUMMARY, SHARDS}):
        raise CclearnError(
            f"output (out = {path}): it holds what no run wrote ({', '.join(strange[:5])}). Move that"
            " away, or name another folder."
        )


def _is_ours(name: str) -> bool:
    return re.fullmatch(r"\d{5,}\.(jsonl|done)|\..*", name) is not None


class CodedFolder:
    """Where the shards of one run go.

    Args:
        path: The folder.
        run: The run's hash.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run

    @classmethod
    def begin(cls, path: Path, manifest: Mapping[str, Any], overwrite: bool) -> CodedFolder:
        """Begin a run, or go on with it.

        Args:
            path: The folder, which this process holds.
            manifest: What decides the run's bytes.
            overwrite: Whether to begin anew.

        Raises:
            CclearnError: The folder holds another run.
        """
        place = path / MANIFEST
        if not place.is_file():
            _refuse_unclaimed(path)
        elif overwrite or not any((path / SHARDS).glob("*.done")):
            _empty(path)  # Where no shard is finished nothing is lost, whatever the settings were.
        elif differing := difference(_read_manifest(place), manifest):
            entries = "; ".join(f"{d.key}: {d.theirs} there, {d.ours} here" for d in differing)
            raise CclearnError(
                f"output (out = {path}): it holds another run ({entries}). Name another folder, or pass"
                " --overwrite to begin anew."
            )
        _remove_half_written(path)
        write_json(place, manifest)
        return cls(path, run_hash(manifest))

    def finished(self, numbers: Iterable[int]) -> set[int]:
        """Return which shards have their markers."""
        try:
            names = set(os.listdir(self.path / SHARDS))
        except FileNotFoundError:
            return set()
        return {number for number in numbers if self._marker(number).name in names}

    def check(self, numbers: Iterable[int]) -> None:
        """Check the shards that are finished.

        Raises:
            CclearnError: One is of another run, or its file is not what its marker says.
        """
        for number in sorted(self.finished(numbers)):
            marker = self._own(number)
            data = self.data(number)
            if not data.is_file() or sha256_of_file(data) != marker.sha256:
                raise CclearnError(
                    f"{data}: it is not the file that was written. Remove it and its .done, and the"
                    " shard is coded again."
                )

    def _own(self, number: int) -> Marker:
        """Return the marker of a finished shard. Raises CclearnError where it is none of this run's."""
        path = self._marker(number)
        try:
            marker = Marker.model_validate_json(read_text(path))
        except ValidationError:
            raise DataError(
                path, "it is no marker. Remove it, and the shard is coded again."
            ) from None
        if marker.run != self.run or marker.shard != number:
            raise CclearnError(
                f"{path}: it is of another run. Remove it and its .jsonl, or pass --overwrite to begin"
                " anew."
            )
        return marker

    def retry(self, numbers: Iterable[int]) -> None:
        """Have the shards coded again in which a note got no answer."""
        for number in sorted(self.finished(numbers)):
            if any(row.kind not in ROWS_THEMSELVES for row in self._own(number).rejected):
                self._marker(number).unlink()

    def reopen(self) -> None:
        """Take back what says that the run is finished."""
        for name in (SUMMARY, REJECTED):
            (self.path / name).unlink(missing_ok=True)

    def write(self, coded: CodedShard) -> None:
        """Write a shard, its marker last."""
        with atomic_file(self.data(coded.marker.shard)) as stream:
            stream.write(coded.content)
        marker = coded.marker.model_copy(update={"run": self.run})
        with atomic_file(self._marker(marker.shard)) as stream:
            stream.write(marker.model_dump_json(indent=1).encode() + b"\n")

    def summary(self) -> Summary | None:
        """Return the summary of a run that is finished, else None."""
        if not (self.path / REJECTED).is_file():
            return None
        try:
            return Summary.model_validate_json(read_text(self.path / SUMMARY))
        except (DataError, ValidationError):
            return None

    def finish(self, numbers: Iterable[int], engine: EngineSettings, pace: Pace) -> Summary:
        """Write the rejected rows and the summary, when all shards are finished.

        Args:
            numbers: Of all shards, in order.
            engine: Whose prices count.
            pace: Of this sitting.
        """
        with atomic_file(self.path / REJECTED) as stream:

            def markers() -> Iterator[Marker]:
                for number in numbers:
                    marker = self._own(number)
                    for row in marker.rejected:
                        stream.write(row_to_json(row).encode() + b"\n")
                    yield marker

            summary = summarise(markers(), engine, pace)
        write_json(self.path / SUMMARY, summary.model_dump(mode="json"))
        return summary

    def data(self, number: int) -> Path:
        """Return the file of a shard's notes."""
        return self.path / SHARDS / f"{number:05}.jsonl"

    def _marker(self, number: int) -> Path:
        return self.path / SHARDS / f"{number:05}.done"


def coded_notes(path: Path) -> Iterator[CodedNote]:
    """Stream the coded notes of a run that is finished, in the corpus's order.

    Raises:
        DataError: The folder is no run's, or the run is not finished.
        CclearnError: A shard is not what was written.
    """
    folder = CodedFolder(path, run_hash(_read_manifest(path / MANIFEST)))
    summary = folder.summary()
    numbers = range(0 if summary is None else summary.shards)
    if not numbers or len(folder.finished(numbers)) < len(numbers):
        raise DataError(path, "its run is not finished. Run `cclearn code` again to go on.")
    folder.check(numbers)
    for number in numbers:
        yield from read_coded_notes(folder.data(number))


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path)
    if not isinstance(manifest, dict) or "shard_size" not in manifest:
        raise DataError(path, "it is no manifest of a coded corpus. Name another folder.")
    return manifest


def _refuse_unclaimed(path: Path) -> None:
    """Raise DataError for files that would be a run's, if a manifest said so."""
    others = (*(path / SHARDS).glob("[!.]*"), path / REJECTED, path / SUMMARY)
    if any(file.exists() for file in others):
        problem = "it is missing, and there are shards or a summary. Name another folder."
        raise DataError(path / MANIFEST, problem)


def _empty(path: Path) -> None:
    """Remove a run; its manifest goes last, which says whose the rest is."""
    _read_manifest(path / MANIFEST)
    shards = (path / SHARDS).glob("[!.]*")
    for file in (path / SUMMARY, path / REJECTED, *shards, path / MANIFEST):
        file.unlink(missing_ok=True)


def _remove_half_written(path: Path) -> None:
    """Remove what a process that was killed was writing: it may hold text of notes."""
    for name in (MANIFEST, REJECTED, SUMMARY, f"{SHARDS}/[0-9]*"):
        for file in path.glob(str(Path(name).with_name(f".{Path(name).name}.*"))):
            file.unlink()
