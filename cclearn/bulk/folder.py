"""The folder of a coded corpus. It is written shard by shard, so that finished shards are never lost.

manifest.json        all settings and hashes that determine the output; the first file
shards/00000.jsonl   coded notes
shards/00000.done    the marker of the shard, written after the notes
rejected.jsonl       rows that were not coded, with the reason; written after all shards
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

from cclearn.bulk.shard import PERMANENT_KINDS, CodedShard, Marker
from cclearn.bulk.summary import Pace, Summary, summarise
from cclearn.codes import CodeSystem
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


def refuse_other_files(path: Path) -> None:
    """Raise CclearnError if a path is a file, or a folder with files that no run wrote."""
    if path.is_file():
        raise CclearnError(f"output (out = {path}): it is a file. Name a folder.")
    if not path.is_dir():
        return
    # Files of interrupted writes are hidden.
    names = {file.name for file in path.iterdir() if not file.name.startswith(".")}
    shards = path / SHARDS
    if shards.is_symlink():
        raise CclearnError(
            f"output (out = {path}): {SHARDS} is a symbolic link, which is not followed. Remove it, or"
            " name another folder."
        )
    if shards.is_dir():
        names |= {
            f"{SHARDS}/{file.name}" for file in shards.iterdir() if not _is_shard_file(file.name)
        }
    if others := sorted(names - {MANIFEST, REJECTED, SUMMARY, SHARDS}):
        raise CclearnError(
            f"output (out = {path}): it contains files that no run wrote"
            f" ({', '.join(others[:5])}). Move them away, or name another folder."
        )


def refuse_inputs_within(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output folder that contains an input, which the run would replace.

    Args:
        path: Path of the folder, which may not exist.
        inputs: Paths of the input files.

    Raises:
        CclearnError: An input is in the folder.
    """
    whole = path.resolve()
    for file in inputs:
        if file.resolve().is_relative_to(whole):
            raise CclearnError(
                f"output (out = {path}): the input {file} is in it. Name another folder."
            )


def _is_shard_file(name: str) -> bool:
    return re.fullmatch(r"\d{5,}\.(jsonl|done)|\..*", name) is not None


class CodedFolder:
    """The output folder of one run.

    Args:
        path: Path of the folder.
        run: Hash of the run.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run

    @classmethod
    def begin(cls, path: Path, manifest: Mapping[str, Any], overwrite: bool) -> CodedFolder:
        """Begin a run, or continue it.

        Args:
            path: Path of the folder, which this process has locked.
            manifest: Manifest of the run, with everything that decides its output.
            overwrite: Whether an earlier run is replaced.

        Raises:
            CclearnError: The folder contains another run.
        """
        manifest_path = path / MANIFEST
        if not manifest_path.is_file():
            _refuse_run_without_manifest(path)
        elif overwrite or not any((path / SHARDS).glob("*.done")):
            _remove_run(path)  # Nothing is lost if no shard is finished.
        elif differing := difference(_read_manifest(manifest_path), manifest):
            entries = "; ".join(f"{d.key}: {d.theirs} there, {d.ours} here" for d in differing)
            raise CclearnError(
                f"output (out = {path}): it contains another run ({entries}). Name another folder, or"
                " start again with --overwrite."
            )
        _remove_half_written(path)
        write_json(manifest_path, manifest)
        return cls(path, run_hash(manifest))

    def finished(self, numbers: Iterable[int]) -> set[int]:
        """Return the numbers of the shards that have a marker."""
        try:
            names = set(os.listdir(self.path / SHARDS))
        except FileNotFoundError:
            return set()
        return {number for number in numbers if self._marker(number).name in names}

    def check(self, numbers: Iterable[int]) -> None:
        """Check the finished shards.

        Raises:
            CclearnError: A shard belongs to another run, or its file differs from its marker.
        """
        for number in sorted(self.finished(numbers)):
            marker = self._read_marker(number)
            shard = self.shard_file(number)
            if not shard.is_file() or sha256_of_file(shard) != marker.sha256:
                raise CclearnError(
                    f"{shard}: it is missing or has changed. Remove it and its .done file, and run the"
                    " command again to code the shard."
                )

    def _read_marker(self, number: int) -> Marker:
        """Return the marker of a finished shard. Raises CclearnError if it belongs to another run."""
        path = self._marker(number)
        try:
            marker = Marker.model_validate_json(read_text(path))
        except ValidationError:
            raise DataError(
                path, "it is not a marker. Remove it, and run the command again to code the shard."
            ) from None
        if marker.run != self.run or marker.shard != number:
            raise CclearnError(
                f"{path}: it belongs to another run. Remove it and its .jsonl file, or start again with"
                " --overwrite."
            )
        return marker

    def retry(self, numbers: Iterable[int]) -> None:
        """Remove the markers of shards with unanswered notes, so that these shards are coded again."""
        for number in sorted(self.finished(numbers)):
            if any(row.kind not in PERMANENT_KINDS for row in self._read_marker(number).rejected):
                self._marker(number).unlink()

    def reopen(self) -> None:
        """Remove `summary.json` and `rejected.jsonl`, which mark the run as finished."""
        for name in (SUMMARY, REJECTED):
            (self.path / name).unlink(missing_ok=True)

    def write(self, coded: CodedShard) -> None:
        """Write a shard and then its marker."""
        with atomic_file(self.shard_file(coded.marker.shard)) as stream:
            stream.write(coded.content)
        marker = coded.marker.model_copy(update={"run": self.run})
        with atomic_file(self._marker(marker.shard)) as stream:
            stream.write(marker.model_dump_json(indent=1).encode() + b"\n")

    def summary(self) -> Summary | None:
        """Return the summary of a finished run, or None."""
        if not (self.path / REJECTED).is_file():
            return None
        try:
            return Summary.model_validate_json(read_text(self.path / SUMMARY))
        except (DataError, ValidationError):
            return None

    def finish(self, numbers: Iterable[int], engine: EngineSettings, pace: Pace) -> Summary:
        """Write the rejected rows and the summary after all shards are finished.

        Args:
            numbers: Numbers of all shards, in order.
            engine: Settings of the engine, which contain the prices.
            pace: Speed of this session.
        """
        with atomic_file(self.path / REJECTED) as stream:

            def markers() -> Iterator[Marker]:
                for number in numbers:
                    marker = self._read_marker(number)
                    for row in marker.rejected:
                        stream.write(row_to_json(row).encode() + b"\n")
                    yield marker

            summary = summarise(markers(), engine, pace)
        write_json(self.path / SUMMARY, summary.model_dump(mode="json"))
        return summary

    def shard_file(self, number: int) -> Path:
        """Return the path of the coded notes of a shard."""
        return self.path / SHARDS / f"{number:05}.jsonl"

    def _marker(self, number: int) -> Path:
        return self.path / SHARDS / f"{number:05}.done"


def read_coded(path: Path, system: CodeSystem | None = None) -> Iterator[CodedNote]:
    """Stream the coded notes of a file, or of the folder of a finished run in the order of the corpus.

    Args:
        path: Path of a JSONL or a Parquet file, or of a folder that `code_corpus` wrote.
        system: Code system in whose spelling codes are returned. None leaves them as they are.

    Raises:
        DataError: A line is not a coded note, the folder contains no run, or the run is not finished.
        CclearnError: A shard has changed since it was written.
    """
    return (note for file in coded_files(path) for note in read_coded_notes(file, system))


def coded_sha256(path: Path) -> str:
    """Return the hash of a file of coded notes, or of the shards of a finished run."""
    if not path.is_dir():
        return sha256_of_file(path)
    return sha256_of_text("\n".join(map(sha256_of_file, coded_files(path))))


def coded_files(path: Path) -> list[Path]:
    """Return the files with the notes of a finished run, in the order of the corpus, or the file itself.

    Args:
        path: Path of a file of coded notes, or of a folder that `code_corpus` wrote.

    Raises:
        DataError: The folder contains no run, or the run is not finished.
        CclearnError: A shard has changed since it was written.
    """
    if not path.is_dir():
        return [path]
    folder = CodedFolder(path, run_hash(_read_manifest(path / MANIFEST)))
    summary = folder.summary()
    numbers = range(0 if summary is None else summary.shards)
    if not numbers or len(folder.finished(numbers)) < len(numbers):
        raise DataError(path, "its run is not finished. Run `cclearn code` again to continue.")
    folder.check(numbers)
    return [folder.shard_file(number) for number in numbers]


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path)
    if not isinstance(manifest, dict) or "shard_size" not in manifest:
        raise DataError(path, "it is not the manifest of a coded corpus. Name another folder.")
    return manifest


def _refuse_run_without_manifest(path: Path) -> None:
    """Raise DataError if files of a run exist without a manifest."""
    others = (*(path / SHARDS).glob("[!.]*"), path / REJECTED, path / SUMMARY)
    if any(file.exists() for file in others):
        problem = "it is missing, but there are shards or a summary. Name another folder."
        raise DataError(path / MANIFEST, problem)


def _remove_run(path: Path) -> None:
    """Remove the files of a run. The manifest shows that they belong to a run, and is removed last."""
    _read_manifest(path / MANIFEST)
    shards = (path / SHARDS).glob("[!.]*")
    for file in (path / SUMMARY, path / REJECTED, *shards, path / MANIFEST):
        file.unlink(missing_ok=True)


def _remove_half_written(path: Path) -> None:
    """Remove the incomplete files of a killed process, which may contain text of notes."""
    for name in (MANIFEST, REJECTED, SUMMARY, f"{SHARDS}/[0-9]*"):
        for file in path.glob(str(Path(name).with_name(f".{Path(name).name}.*"))):
            file.unlink()
