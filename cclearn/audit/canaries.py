"""Canaries: random sentences that are put into training notes to measure what a generator memorises.

All canaries of a corpus have one format with random letters and digits (Carlini et al. 2019, The Secret
Sharer: Evaluating and Testing Unintended Memorization in Neural Networks, section 4). A canary in a note
that a generator wrote shows that it repeats its training notes.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cclearn.audit.checks import Check
from cclearn.audit.inputs import NOTES_FILE, NoteSet
from cclearn.errors import ConfigurationError, DataError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import row_to_json
from cclearn.runtime.files import atomic_file, atomic_folder, refuse_existing
from cclearn.runtime.parsing import read_json

_SENTENCES = (
    "Reference of the visit: {secret}.",
    "Filed under number {secret}.",
    "The accession code is {secret}.",
    "Study participant {secret}.",
)
_PATTERNS = ("??-######", "####-??-##", "?###-?###", "##-???-###")
"""Patterns of secrets: `?` stands for a random letter, and `#` for a random digit."""

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Letters of secrets, without those that look like digits."""


class CanaryFile(BaseModel):
    """The content of a file of canaries, which must not be among the training data.

    Attributes:
        sentence: Sentence of all canaries, with the placeholder `{secret}`.
        pattern: Pattern of the secrets: `?` stands for a letter, `#` for a digit, and any other
            character for itself.
        secrets: Secret of each canary.
        repeats: Number of notes that contain each canary.
        seed: Seed of the format, of the secrets and of the notes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    sentence: str = Field(pattern=r"^[^{}]*\{secret\}[^{}]*$")
    pattern: str = Field(min_length=1, max_length=64)
    secrets: tuple[str, ...] = Field(min_length=1)
    repeats: int = Field(ge=1)
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> CanaryFile:
        """Read a file of canaries.

        Args:
            path: Path of the file that `cclearn audit --plant` wrote.

        Raises:
            DataError: It is no such file. The message contains no secret.
        """
        try:
            return cls.model_validate(read_json(path))
        except ValidationError:
            raise DataError(
                path, "it is not a file of canaries. Name the one that --plant wrote."
            ) from None

    @property
    def bits(self) -> float:
        """Binary logarithm of the number of possible secrets."""
        choices = {"?": len(_LETTERS), "#": 10}
        return sum(math.log2(choices.get(character, 1)) for character in self.pattern)

    def text(self, secret: str) -> str:
        """Return the sentence of a canary.

        Args:
            secret: Secret of the canary.
        """
        return self.sentence.format(secret=secret)

    def candidates(self, count: int, seed: int) -> list[str]:
        """Return distinct random secrets that are none of the canaries, or all if there are not more.

        Args:
            count: Number of secrets.
            seed: Seed of the secrets.
        """
        rng = random.Random(f"candidates {seed}")  # noqa: S311 - reproducible
        planted = set(self.secrets)
        possible = round(2**self.bits) - len(planted)
        found: dict[str, None] = {}
        while len(found) < min(count, possible):
            secret = _filled(self.pattern, rng)
            if secret not in planted:
                found[secret] = None
        return list(found)


def _filled(pattern: str, rng: random.Random) -> str:
    choices = {"?": _LETTERS, "#": "0123456789"}
    return "".join(rng.choice(choices.get(character, character)) for character in pattern)


def new_canaries(count: int, repeats: int, seed: int) -> CanaryFile:
    """Return canaries of a random format.

    Args:
        count: Number of canaries.
        repeats: Number of notes that will contain each canary.
        seed: Seed of the format and of the secrets.
    """
    rng = random.Random(f"canaries {seed}")  # noqa: S311 - reproducible
    sentence, pattern = rng.choice(_SENTENCES), rng.choice(_PATTERNS)
    secrets: dict[str, None] = {}
    while len(secrets) < count:
        secrets[_filled(pattern, rng)] = None
    return CanaryFile(
        sentence=sentence, pattern=pattern, secrets=tuple(secrets), repeats=repeats, seed=seed
    )


def plant(
    notes: NoteSet,
    canaries: CanaryFile,
    folder: Path,
    secrets: Path,
    overwrite: bool = False,
) -> int:
    """Write a copy of notes with canaries, and a file with the secrets. Both are private.

    A canary is a new line at the end of a note, so that the offsets of the evidence stay the same. A
    note gets at most one canary.

    Args:
        notes: Notes to copy.
        canaries: Canaries to plant.
        folder: Folder that receives `notes.jsonl`.
        secrets: File that receives the canaries. It must not be in the folder.
        overwrite: Whether existing outputs are replaced.

    Returns:
        Number of notes that were written.

    Raises:
        CclearnError: An output exists.
        ConfigurationError: The file of secrets would be in the folder, or there are too few notes.
    """
    if secrets.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(
            [
                f"audit (secrets = {secrets}): it would be in the folder of the notes, and a model must"
                " not be trained on it. Name a file elsewhere."
            ]
        )
    refuse_existing(folder, overwrite)
    refuse_existing(secrets, overwrite)
    total = sum(1 for _ in notes.read("planting: count"))
    needed = len(canaries.secrets) * canaries.repeats
    if needed > total:
        raise ConfigurationError(
            [
                f"audit (plant = {len(canaries.secrets)}): {needed:,} notes are needed, and there are"
                f" {total:,}. Plant fewer canaries."
            ]
        )
    rng = random.Random(f"places {canaries.seed}")  # noqa: S311 - reproducible
    places = rng.sample(range(total), needed)
    planted = {
        place: canaries.secrets[number % len(canaries.secrets)]
        for number, place in enumerate(places)
    }
    with atomic_folder(folder, overwrite, "notes with canaries") as partial:
        with atomic_file(partial / NOTES_FILE) as stream:
            for note in _with_canaries(notes.read("planting: write"), canaries, planted):
                stream.write(row_to_json(note).encode("utf-8") + b"\n")
        with atomic_file(secrets, overwrite) as stream:
            stream.write(canaries.model_dump_json(indent=2).encode("utf-8") + b"\n")
    return total


def _with_canaries(
    notes: Iterable[CodedNote], canaries: CanaryFile, planted: Mapping[int, str]
) -> Iterator[CodedNote]:
    for number, note in enumerate(notes):
        if number in planted:
            gap = "" if note.text.endswith("\n") or not note.text else "\n"
            text = f"{note.text}{gap}{canaries.text(planted[number])}\n"
            yield note.model_copy(update={"text": text})
        else:
            yield note


@dataclass(frozen=True, slots=True)
class CanariesInNotes:
    """Canaries in the notes that a generator wrote.

    Attributes:
        repeated: Number of canaries that the notes contain, with the ids of these notes.
        planted: Number of canaries in the file.
    """

    repeated: Check
    planted: int

    @property
    def checks(self) -> tuple[Check, ...]:
        """The check of canaries."""
        return (self.repeated,)


def find_canaries(notes: NoteSet, canaries: CanaryFile, most: int) -> CanariesInNotes:
    """Find the canaries that notes contain, also with other separators or in lower case.

    Args:
        notes: Notes that a generator wrote.
        canaries: Canaries of the training notes of the generator.
        most: Largest number of canaries with which the check passes.
    """
    parts: dict[str, Any] = {"?": "[A-Za-z]", "#": r"\d"}
    pattern = re.compile(
        r"(?<!\w)"
        + "".join(parts.get(character, r"[\W_]?") for character in canaries.pattern)
        + r"(?!\w)"
    )
    secrets = {_bare(secret): number for number, secret in enumerate(canaries.secrets)}
    found: set[int] = set()
    ids: dict[str, None] = {}
    for note in notes.read("canaries: notes"):
        for match in pattern.finditer(note.text):
            number = secrets.get(_bare(match[0]))
            if number is not None:
                found.add(number)
                ids[note.id] = None
    title = f"canaries in the notes, of {len(canaries.secrets):,}"
    check = Check("canaries", title, len(found), most, tuple(ids))
    return CanariesInNotes(check, len(canaries.secrets))


def _bare(secret: str) -> str:
    """Return the letters and digits of a secret in upper case."""
    return "".join(filter(str.isalnum, secret)).upper()
