"""Which rows a run is trained on: read, made of notes, held against an evaluation, weighed, capped."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.errors import ConfigurationError
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.notes.spans import Span
from cclearn.rows import (
    Contamination,
    Negatives,
    TrainingRow,
    in_share,
    limit_rows,
    read_source,
    repeat_by_grade,
    segment_rows,
    span_rows,
)
from cclearn.training.recipe import Recipe, Rows, RowSourceSettings


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a source that are trained on.

    Attributes:
        source: As the recipe names it.
        rows: In the file's order.
        read: How many pairs or notes the file has.
        contaminated: Ids of those, and of rows made of them, that an evaluation holds.
        development: Rows that are not trained on: the loss on them is told.
    """

    source: RowSourceSettings
    rows: list[TrainingRow]
    read: int
    contaminated: list[str]
    development: list[TrainingRow]


def choose_rows(recipe: Recipe, system: CodeSystem) -> list[Chosen]:
    """Read the sources that the recipe's order uses, and leave out what it does not want.

    Raises:
        DataError: A file is not what it should be.
        ConfigurationError: Nothing of a source is left.
    """
    contamination = _contamination(recipe.rows)
    read = [_read(source, recipe, system, contamination) for source in recipe.rows.used]
    coded = _coded_strings(read)
    found = []
    for chosen in read:
        source = chosen.source
        make = _maker(chosen, recipe, system, coded)
        clean: list[TrainingRow] = []
        contaminated = list(chosen.contaminated)
        for row in (made for whole in chosen.rows for made in make(whole)):
            # A note that no evaluation holds may cite a string that one does.
            if row.note is None and contamination.contains(row):
                contaminated.append(row.id)
            else:
                clean.append(row)
        rows = limit_rows(
            repeat_by_grade(clean, source.grades, recipe.seed),
            source.most,
            source.most_per_code,
            recipe.seed,
        )
        development = [made for whole in chosen.development for made in make(whole)]
        found.append(Chosen(source, rows, chosen.read, contaminated, development))
    refuse_empty(
        [c.source for c in found if not c.rows], "no row of it is left. Name another file."
    )
    return found


def _read(
    source: RowSourceSettings, recipe: Recipe, system: CodeSystem, contamination: Contamination
) -> Chosen:
    """Return the rows of a source's pairs or whole notes."""
    read = 0
    clean: list[TrainingRow] = []
    contaminated: list[str] = []
    development: list[TrainingRow] = []
    describe, template = recipe.rows.describe, recipe.rows.template
    for row in read_source(source.path, source.holds, system, describe, template):
        read += 1
        if contamination.contains(row):
            contaminated.append(row.id)
        elif in_share(_split_by(row), recipe.rows.development, recipe.seed):
            development.append(row)
        else:
            clean.append(row)
    return Chosen(source, clean, read, contaminated, development)


def _maker(
    chosen: Chosen, recipe: Recipe, system: CodeSystem, coded: Container[str]
) -> Callable[[TrainingRow], Iterable[TrainingRow]]:
    """Return what makes the rows that a source wants of that of a pair or of a whole note."""
    source, seed = chosen.source, recipe.seed
    if source.segments is not None:
        return partial(segment_rows, unit=source.segments, empty=source.empty, seed=seed)
    if source.negatives is None:
        return lambda row: [row]
    notes = [row.note for row in (*chosen.rows, *chosen.development) if row.note is not None]
    lexicon = LexiconCoder(system)

    def mentions(text: str) -> list[Span]:
        return [(finding.start, finding.end) for finding in lexicon.find(text)]

    def describe(code: str) -> str:
        return system.description(code) if recipe.rows.describe and code in system else ""

    negatives = Negatives(notes, source.negatives, mentions, coded, seed)
    return lambda row: span_rows(row, negatives.sample(row.note) if row.note else (), describe)


def _coded_strings(read: Sequence[Chosen]) -> set[str]:
    """Return every string that a pair or a note gives a code."""
    coded: set[str] = set()
    for row in (row for chosen in read for row in (*chosen.rows, *chosen.development)):
        if row.note is None:
            coded.add(string_key(row.text))
        else:
            coded |= {string_key(e.text) for code in row.note.codes for e in code.evidence}
    return coded


def _split_by(row: TrainingRow) -> str:
    """Return what must not be on both sides of a split: a note, or a span's string."""
    return f"development {string_key(row.text) if row.note is None else row.id}"


def _contamination(rows: Rows) -> Contamination:
    notes = [file.path for file in rows.evaluation if file.kind == "document"]
    spans = [file.path for file in rows.evaluation if file.kind == "span"]
    return Contamination(
        (note for path in notes for note in read_coded_notes(path)),
        (pair for path in spans for pair in read_span_pairs(path)),
    )


def refuse_empty(sources: Sequence[RowSourceSettings], problem: str) -> None:
    """Raise ConfigurationError where a problem has left sources without a row."""
    if sources:
        raise ConfigurationError([f"rows.sources (path = {s.path}): {problem}" for s in sources])
