"""Several conditions in one span: `HTN, COPD and left hip pain`, with the words of each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cclearn.codes import CodeSystem, conflict
from cclearn.notes import AssignedCode, CodedNote, Evidence
from data_builders.builder import Builder, Built, RejectedRow
from data_builders.noise import WEIGHTS, Abbreviations, Noise
from data_builders.noise.context import context_of, vocabulary
from data_builders.parallel import Spread, here, numbers
from data_builders.synthetic.mentions import MentionSettings, Share, read_mentions, select_codes

_HEADS = ("", "", "", "Dx: ", "Assessment: ", "Impression: ", "Problems: ", "Problem list: ")
_JOINED = ((", ", " and "), (", ", ", "), ("; ", "; "), (" / ", " / "), (" + ", " + "))
"""What stands between two conditions, and before the last."""

_LISTED = ("{}. ", "{}) ", "# ", "- ")
"""What stands before each condition of a list."""

_TRIES = 20


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
    def _least_is_least(self) -> Self:
        if self.most < self.least:
            raise ValueError(f"most = {self.most} is less than least = {self.least}")
        return self


class JoinedSpansBuilder(Builder):
    """Joins the strings of codes that may stand together, as problem lists and assessments do.

    The rows are coded notes of a line or a list, so that a model reads every condition of a span with
    its own words. Codes that an Excludes1 note keeps apart are not joined, nor, in ICD-10-CM, those
    whose presence changes other codes. A row depends on the seed and its own number alone.
    """

    name = "joined_spans"
    summary = "Short coded notes of several conditions in one span, with the words of each."
    config_type = JoinedSpansConfig
    row_type = CodedNote
    data_file = "notes.jsonl"

    def can_spread(self, config: JoinedSpansConfig) -> bool:
        """Every row is made alone."""
        return True

    def rows(
        self, config: JoinedSpansConfig, system: CodeSystem, spread: Spread = here
    ) -> Iterator[Built]:
        """Yield spans; a wanted code that no pair holds is rejected.

        Raises:
            DataError: The pairs or the table cannot be read.
        """
        strings = read_mentions(config, system)
        codes, rejected = select_codes(config.codes, strings, system)
        yield from rejected
        apart = _codes_that_change_others(system)
        codes = [code for code in codes if code not in apart]
        abbreviations = Abbreviations.load(config.abbreviations)
        make = partial(_Joiner, config, system, strings, codes, abbreviations)
        for rows in spread(make, numbers(config.rows if codes else 0)):
            yield from rows


class _Joiner:
    """Makes rows by their numbers."""

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

    def __call__(self, numbers: range) -> list[Built]:
        """Return the rows of these numbers."""
        return [self._row(number) for number in numbers]

    def _row(self, number: int) -> Built:
        config, system = self._config, self._system
        order = random.Random(f"{config.seed} {number}")  # noqa: S311 - reproducible
        chosen = _chosen(self._codes, order.randint(config.least, config.most), system, order)
        identifier = f"joined-{number}"
        if len(chosen) < config.least:
            reason = "too few codes that may stand together"
            return RejectedRow(text=identifier, code="", reason=reason, detail=" ".join(chosen))
        mentions = []
        for code in chosen:
            mention = order.choice(self._strings[code])
            if order.random() < config.noise:
                mention = self._noise.change(mention, order, context_of(system, code, framed=False))
            mentions.append(mention)
        return _joined(identifier, chosen, mentions, system, order)


def _codes_that_change_others(system: CodeSystem) -> set[str]:
    return {
        code
        for above in system.traits.changes_other_codes
        if above in system
        for code in (above, *system.descendants(above))
    }


def _chosen(codes: list[str], count: int, system: CodeSystem, order: random.Random) -> list[str]:
    """Draw codes that no Excludes1 note keeps apart and that are no siblings."""
    chosen: list[str] = []
    for _ in range(_TRIES):
        code = order.choice(codes)
        parent = system.parent(code)
        siblings = parent is not None and parent in map(system.parent, chosen)
        apart = any(conflict(system, code, other) for other in chosen)
        if code not in chosen and not siblings and not apart:
            chosen.append(code)
        if len(chosen) == count:
            break
    return chosen


def _joined(
    identifier: str, codes: list[str], mentions: list[str], system: CodeSystem, order: random.Random
) -> CodedNote:
    """Join mentions to a line or a list, whichever keeps them apart."""
    head, mark = order.choice(_HEADS), order.choice(_LISTED)
    # A comma or an "and" inside a condition would run into those between them.
    clear = [joint for joint in _JOINED if not any(part in m for part in joint for m in mentions)]
    between, last = order.choice(clear or _JOINED)
    listed = not clear or order.random() < 0.3
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
