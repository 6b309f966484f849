"""Synthetic notes for a set of codes, with the exact offsets of all mentions."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import overload

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes
from cclearn.rows import in_share
from data_builders.builder import Builder, BuiltRow, RejectedRow
from data_builders.code_conflicts import without_conflicts
from data_builders.content.reading import shipped_templates, unknown_names
from data_builders.parallel import ParallelMap, in_process, number_ranges
from data_builders.synthetic.mentions import MentionSettings, Share, read_mentions, select_codes
from data_builders.templates.code_notes import CodeNoteRenderer


class TemplateNotesConfig(MentionSettings):
    """Settings of the builder, besides those of `MentionSettings`.

    Attributes:
        notes: Number of notes to build.
        most_codes: Largest number of codes of a note that has codes. Of two codes that one patient
            cannot have, only one is taken.
        without_codes: Share of notes that have no code.
        distractors: Largest number of mentions in a note that give no code, because they are negated,
            ruled out, hypothetical or about a relative.
        reserved: Share of each code's strings that the notes never use. A code's first string is never
            reserved. Notes that are built with a smaller share and the same `split_seed` use more.
        split_seed: Seed that determines which strings are reserved.
        prefix: Beginning of the ids of the notes.
        templates: Names of the templates that are used. `brief_summary` makes short notes with few words
            besides the mentions. Empty for all templates of the package.
        avoid: Path of coded notes, such as those of a test set. A note with the text of one of them is
            rejected.
    """

    notes: int = Field(gt=0)
    most_codes: int = Field(default=4, ge=1)
    without_codes: Share = 0.1
    distractors: int = Field(default=2, ge=0)
    reserved: float = Field(default=0.0, ge=0, lt=1)
    split_seed: int = 0
    prefix: str = "note"
    templates: tuple[str, ...] = ("brief_summary",)
    avoid: Path | None = None


class TemplateNotesBuilder(Builder):
    """Builder of notes from templates for random sets of codes.

    A note depends only on the seed and its number, so that it is the same in every process.
    """

    name = "template_notes"
    summary = "Synthetic notes with codes, exact evidence and distractors."
    config_type = TemplateNotesConfig
    row_type = CodedNote
    data_file = "notes.jsonl"

    def has_parallel_step(self, config: TemplateNotesConfig) -> bool:
        """Return True, because every note is built independently."""
        return True

    def rows(
        self,
        config: TemplateNotesConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield coded notes, and a rejected row for each requested code without a pair.

        Raises:
            DataError: A file is invalid.
            ConfigurationError: There is no such template.
        """
        problems = unknown_names("templates", config.templates, shipped_templates(system).templates)
        if problems:
            raise ConfigurationError(problems)
        mentions = read_mentions(config, system)
        strings = {code: _unreserved(code, texts, config) for code, texts in mentions.items()}
        codes, rejected = select_codes(config.codes, strings, system)
        yield from rejected
        if not codes:
            return
        avoided = {note.text for note in read_coded_notes(config.avoid)} if config.avoid else set()
        make = partial(_NoteMaker, config, system, strings, codes)
        for notes in parallel_map(make, number_ranges(config.notes)):
            for note in notes:
                if note.text in avoided:
                    reason = "the text is to be avoided"
                    yield RejectedRow(text=note.id, code="", reason=reason)
                else:
                    yield note


def _unreserved(code: str, strings: list[str], config: TemplateNotesConfig) -> list[str]:
    """Return the strings of a code that are not reserved."""
    first, *others = strings
    return [first] + [
        string
        for string in others
        if not in_share(f"{code} {string}", config.reserved, config.split_seed)
    ]


class _NoteMaker:
    """Function from numbers to notes."""

    def __init__(
        self,
        config: TemplateNotesConfig,
        system: CodeSystem,
        strings: dict[str, list[str]],
        codes: list[str],
    ) -> None:
        self._config = config
        self._system = system
        self._strings = strings
        self._codes = codes
        self._positions: dict[str, list[int]] = defaultdict(list)
        for position, code in enumerate(codes):
            self._positions[code].append(position)
        self._renderer = CodeNoteRenderer(system, config.noise, config.templates)

    def __call__(self, numbers: range) -> list[CodedNote]:
        """Return the notes with the given numbers."""
        return [self._note(number) for number in numbers]

    def _note(self, number: int) -> CodedNote:
        config, codes = self._config, self._codes
        rng = random.Random(f"{config.seed} {number}")  # noqa: S311 - reproducible
        chosen: list[str] = []
        if rng.random() >= config.without_codes:
            most = min(config.most_codes, len(codes))
            chosen = without_conflicts(self._system, rng.sample(codes, rng.randint(1, most)))
        # Distractors are among the codes of the builder, so that no other code is mentioned at all.
        others = _Others(codes, {p for code in chosen for p in self._positions[code]})
        distractors = rng.sample(others, min(len(others), rng.randint(0, config.distractors)))
        return self._renderer.render(
            f"{config.prefix}-{number}",
            {code: self._strings[code] for code in chosen},
            rng,
            distractors={code: self._strings[code] for code in distractors},
        )


class _Others(Sequence[str]):
    """View of codes without those at some positions. Copying the list for each note would be slow."""

    def __init__(self, codes: list[str], removed: set[int]) -> None:
        self._codes = codes
        self._removed = sorted(removed)

    def __len__(self) -> int:
        return len(self._codes) - len(self._removed)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        for position in self._removed:
            index += position <= index
        return self._codes[index]
