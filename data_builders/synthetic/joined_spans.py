"""Synthetic spans with several conditions, such as `HTN, COPD and left hip pain`, and their evidence."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cclearn.codes import CodeSystem, conflict
from cclearn.notes import AssignedCode, CodedNote, Evidence
from data_builders.builder import Builder, BuiltRow, RejectedRow
from data_builders.noise import WEIGHTS, Abbreviations, Noise
from data_builders.noise.context import context_of, vocabulary
from data_builders.parallel import ParallelMap, in_process, number_ranges
from data_builders.synthetic.mentions import MentionSettings, Share, read_mentions, select_codes

_HEADS = ("", "", "", "Dx: ", "Assessment: ", "Impression: ", "Problems: ", "Problem list: ")
_JOINED = ((", ", " and "), (", ", ", "), ("; ", "; "), (" / ", " / "), (" + ", " + "))
"""Separators between two conditions, and before the last condition."""

_LISTED = ("{}. ", "{}) ", "# ", "- ")
"""Prefixes of the conditions of a list."""

_TRIES = 20
"""Number of codes that are drawn for one row."""


class JoinedSpansConfig(MentionSettings):
    """Settings of the builder, besides those of `MentionSettings`.

    Attributes:
        rows: Number of rows to build.
        least: Smallest number of conditions in a row.
        most: Largest number of conditions in a row.
        noise: Share of mentions that are misspelt, abbreviated or otherwise changed.
        abbreviations: Path of a table of abbreviations that extends the built-in list.
    """

    rows: int = Field(gt=0)
    least: int = Field(default=2, ge=2)
    most: int = Field(default=4, ge=2)
    noise: Share = 0.3
    abbreviations: Path | None = None

    @model_validator(mode="after")
    def _most_is_at_least_least(self) -> Self:
        if self.most < self.least:
            raise ValueError(f"most = {self.most} is less than least = {self.least}")
        return self


class JoinedSpansBuilder(Builder):
    """Builder of short coded notes that join the strings of several codes, as problem lists do.

    A note is a line or a list, in which every condition has its own evidence. Codes that an Excludes1
    note separates are not joined. In ICD-10-CM, neither are codes that change the coding of other
    conditions. A row depends only on the seed and its number.
    """

    name = "joined_spans"
    summary = "Short coded notes of several conditions in one span, with the words of each."
    config_type = JoinedSpansConfig
    row_type = CodedNote
    data_file = "notes.jsonl"

    def has_parallel_step(self, config: JoinedSpansConfig) -> bool:
        """Return True, because every row is built independently."""
        return True

    def rows(
        self, config: JoinedSpansConfig, system: CodeSystem, parallel_map: ParallelMap = in_process
    ) -> Iterator[BuiltRow]:
        """Yield coded notes, and a rejected row for each requested code without a pair.

        Raises:
            DataError: The pairs or the table of abbreviations cannot be read.
        """
        strings = read_mentions(config, system)
        codes, rejected = select_codes(config.codes, strings, system)
        yield from rejected
        excluded = _codes_that_change_others(system)
        codes = [code for code in codes if code not in excluded]
        abbreviations = Abbreviations.load(config.abbreviations)
        make = partial(_Joiner, config, system, strings, codes, abbreviations)
        for rows in parallel_map(make, number_ranges(config.rows if codes else 0)):
            yield from rows


class _Joiner:
    """Function from numbers to rows."""

    def __init__(
        self,
        config: JoinedSpansConfig,
        system: CodeSystem,
        strings: dict[str, list[str]],
        codes: list[str],
        abbreviations: Abbreviations,
    ) -> None:
        weights = {name: weight for name, weight in WEIGHTS.items() if name != "frame"}
        self._noise = Noise(weights, abbreviations, vocabulary(system))
        self._config = config
        self._system = system
        self._strings = strings
        self._codes = codes

    def __call__(self, numbers: range) -> list[BuiltRow]:
        """Return the rows with the given numbers."""
        return [self._row(number) for number in numbers]

    def _row(self, number: int) -> BuiltRow:
        config, system = self._config, self._system
        rng = random.Random(f"{config.seed} {number}")  # noqa: S311 - reproducible
        chosen = _chosen(self._codes, rng.randint(config.least, config.most), system, rng)
        identifier = f"joined-{number}"
        if len(chosen) < config.least:
            reason = "too few codes that may stand together"
            return RejectedRow(text=identifier, code="", reason=reason, detail=" ".join(chosen))
        mentions = []
        for code in chosen:
            mention = rng.choice(self._strings[code])
            if rng.random() < config.noise:
                mention = self._noise.change(mention, rng, context_of(system, code, framed=False))
            mentions.append(mention)
        return _joined(identifier, chosen, mentions, system, rng)


def _codes_that_change_others(system: CodeSystem) -> set[str]:
    return {
        code
        for ancestor in system.traits.changes_other_codes
        if ancestor in system
        for code in (ancestor, *system.descendants(ancestor))
    }


def _chosen(codes: list[str], count: int, system: CodeSystem, rng: random.Random) -> list[str]:
    """Return random codes that no Excludes1 note separates and that are not siblings."""
    chosen: list[str] = []
    for _ in range(_TRIES):
        code = rng.choice(codes)
        parent = system.parent(code)
        siblings = parent is not None and parent in map(system.parent, chosen)
        excluded = any(conflict(system, code, other) for other in chosen)
        if code not in chosen and not siblings and not excluded:
            chosen.append(code)
        if len(chosen) == count:
            break
    return chosen


def _joined(
    identifier: str, codes: list[str], mentions: list[str], system: CodeSystem, rng: random.Random
) -> CodedNote:
    """Return a note that joins mentions to a line, or to a list if a line would be ambiguous."""
    head, mark = rng.choice(_HEADS), rng.choice(_LISTED)
    # A separator must not occur inside a mention.
    clear = [
        separators
        for separators in _JOINED
        if not any(part in mention for part in separators for mention in mentions)
    ]
    between, last = rng.choice(clear or _JOINED)
    listed = not clear or rng.random() < 0.3
    text = head.rstrip() if listed else head
    evidence = []
    for number, mention in enumerate(mentions, start=1):
        if listed:
            text += ("\n" if text else "") + mark.format(number)
        elif number > 1:
            text += last if number == len(mentions) else between
        evidence.append(Evidence(start=len(text), end=len(text) + len(mention), text=mention))
        text += mention
    return CodedNote(
        id=identifier,
        text=text,
        origin="synthetic",
        codes=[
            AssignedCode(
                code=code,
                system=system.name,
                description=system.description(code),
                evidence=[found],
                status=system.status(code),
            )
            for code, found in zip(codes, evidence, strict=True)
        ],
    )
