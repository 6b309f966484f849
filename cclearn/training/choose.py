"""Selection of the rows of a run, in the steps of `choose_rows`."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.errors import ConfigurationError
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.notes.spans import Span
from cclearn.rows import (
    CodeCheck,
    Contamination,
    Negatives,
    TrainingRow,
    in_share,
    join_spans,
    limit_rows,
    note_span_rows,
    read_source,
    repeat_by_grade,
    segment_rows,
)
from cclearn.training.recipe import Recipe
from cclearn.training.row_settings import RowSourceSettings


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """The rows of a source that are used.

    Attributes:
        source: Settings of the source.
        rows: Rows that the model is trained on, in the order of the file.
        read: Number of pairs or notes that were read from the file.
        contaminated: Ids of the pairs, notes and rows that occur in an evaluation.
        development: Rows that are not trained on, and on which the loss is evaluated.
        check: Counts of the codes that cannot be trained on.
    """

    source: RowSourceSettings
    rows: list[TrainingRow]
    read: int
    contaminated: list[str]
    development: list[TrainingRow]
    check: CodeCheck = field(compare=False)


def choose_rows(recipe: Recipe, system: CodeSystem) -> list[ChosenRows]:
    """Read the sources of a recipe, and return the selected rows of each source.

    Evaluation data and development rows are separated first. A note is then split into segments or
    spans, if the source has these settings. Finally, rows are repeated by their grade, limited in
    number, and span rows are joined.

    Args:
        recipe: Recipe of the run.
        system: Code system of the rows.

    Raises:
        DataError: A file is invalid.
        ConfigurationError: Codes are not billable or have no evidence and are to be refused, or no row
            of a source is left.
    """
    contamination = _contamination(recipe)
    whole_rows = [_read_whole(source, recipe, system, contamination) for source in recipe.rows.used]
    _refuse_codes(whole_rows, recipe)
    coded = _coded_strings(whole_rows)
    selected = []
    for chosen in whole_rows:
        source = chosen.source
        expand = _expansion(chosen, recipe, system, coded)
        clean: list[TrainingRow] = []
        contaminated = list(chosen.contaminated)
        for row in (row for whole in chosen.rows for row in expand(whole)):
            # A note that is not in an evaluation may cite a string that is.
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
        if source.kind == "span":
            rows = join_spans(rows, recipe.rows.spans_per_row, recipe.seed)
        development = [row for whole in chosen.development for row in expand(whole)]
        selected.append(
            replace(chosen, rows=rows, contaminated=contaminated, development=development)
        )
    refuse_empty(
        [chosen.source for chosen in selected if not chosen.rows],
        "no row of it is left. Name another file.",
    )
    return _with_development_file(selected, recipe, system)


def _with_development_file(
    selected: list[ChosenRows], recipe: Recipe, system: CodeSystem
) -> list[ChosenRows]:
    """Add the notes of the file of development notes to the first source of notes.

    Raises:
        DataError: The file cannot be read.
        ConfigurationError: There is no source of notes.
    """
    path = recipe.development.path if recipe.development is not None else None
    if path is None:
        return selected
    check = CodeCheck(system, recipe.rows.invalid, recipe.rows.uncited)
    template = recipe.rows.template
    rows = list(read_source(path, "document", system, False, template, check, cited=False))
    where, rewarded = f"development (path = {path})", recipe.grpo is not None
    _refuse(_code_problems(where, check, recipe, rewarded))
    for number, chosen in enumerate(selected):
        if chosen.source.kind == "document":
            selected[number] = replace(chosen, development=rows)
            return selected
    raise ConfigurationError(
        [f"development.path ({path}): no source of the run has notes. Omit it, or add one."]
    )


def _read_whole(
    source: RowSourceSettings, recipe: Recipe, system: CodeSystem, contamination: Contamination
) -> ChosenRows:
    """Return the rows of a source before expansion, which are one row for each pair or note."""
    read = 0
    clean: list[TrainingRow] = []
    contaminated: list[str] = []
    development: list[TrainingRow] = []
    describe, template = recipe.rows.describe, recipe.rows.template
    share, settings = 0.0, recipe.development
    if settings is not None and settings.path is None and source.development:
        share = settings.share
    check = CodeCheck(system, recipe.rows.invalid, recipe.rows.uncited)
    kind = source.file_kind
    # `_refuse_codes` reports all codes without evidence together.
    for row in read_source(source.path, kind, system, describe, template, check, cited=False):
        read += 1
        if contamination.contains(row):
            contaminated.append(row.id)
        elif in_share(_split_key(row), share, recipe.seed):
            development.append(row)
        else:
            clean.append(row)
    return ChosenRows(source, clean, read, contaminated, development, check)


def _refuse_codes(sources: Iterable[ChosenRows], recipe: Recipe) -> None:
    """Raise ConfigurationError if sources have codes that are to be refused."""
    problems: list[str] = []
    for chosen in sources:
        where = f"rows.sources (path = {chosen.source.path})"
        # The reward of GRPO compares the codes of whole notes only.
        rewarded = recipe.grpo is not None and chosen.source.segments is None
        problems += _code_problems(where, chosen.check, recipe, rewarded)
    _refuse(problems)


def _code_problems(where: str, check: CodeCheck, recipe: Recipe, rewarded: bool) -> Iterator[str]:
    """Yield the problems of the codes of a file that are to be refused.

    Args:
        where: Name of the file, for messages.
        check: Check of its codes.
        recipe: Recipe of the run.
        rewarded: Whether a reward compares the codes, so that they need no evidence.
    """
    if recipe.rows.invalid == "raise" and check.problem is not None:
        yield (
            f"{where}: {check.problem}. Correct them, or set rows.invalid to drop, or to"
            " unspecified, which keeps headers as their unspecified child."
        )
    if recipe.rows.uncited == "raise" and not rewarded and check.uncited_problem is not None:
        yield (
            f"{where}: {check.uncited_problem}. A model would learn that the words that"
            " justify them justify nothing. Find their evidence (`cclearn build silver`), set"
            " rows.uncited to drop_code or drop_note, or train on codes alone with rows.uncited:"
            " answer_only and rows.template: codes."
        )


def _refuse(problems: Iterable[str]) -> None:
    found = dict.fromkeys(problems)
    if found:
        raise ConfigurationError(found)


def _expansion(
    chosen: ChosenRows, recipe: Recipe, system: CodeSystem, coded: Container[str]
) -> Callable[[TrainingRow], Iterable[TrainingRow]]:
    """Return a function from the row of a pair or note to its rows for training.

    They are the rows of the segments or the spans of the note, or the row itself.
    """
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
    return lambda row: note_span_rows(row, negatives.sample(row.note) if row.note else (), describe)


def _coded_strings(whole_rows: Sequence[ChosenRows]) -> set[str]:
    """Return every string that has a code in a pair or a note."""
    coded: set[str] = set()
    for row in (row for chosen in whole_rows for row in (*chosen.rows, *chosen.development)):
        if row.note is None:
            coded.add(string_key(row.text))
        else:
            coded |= {string_key(e.text) for code in row.note.codes for e in code.evidence}
    return coded


def _split_key(row: TrainingRow) -> str:
    """Return the key of the split of a row: the id of its note, or its string.

    Rows with equal keys are all trained on, or are all development rows.
    """
    return f"development {string_key(row.text) if row.note is None else row.id}"


def _contamination(recipe: Recipe) -> Contamination:
    rows, development = recipe.rows, recipe.development
    notes = [file.path for file in rows.evaluation if file.kind == "document"]
    notes += [development.path] if development is not None and development.path is not None else []
    spans = [file.path for file in rows.evaluation if file.kind == "span"]
    return Contamination(
        (note for path in notes for note in read_coded_notes(path)),
        (pair for path in spans for pair in read_span_pairs(path)),
    )


def refuse_empty(sources: Sequence[RowSourceSettings], problem: str) -> None:
    """Raise ConfigurationError if there are sources without a row.

    Args:
        sources: Sources without a row.
        problem: Reason, and what the user can do.
    """
    if sources:
        raise ConfigurationError([f"rows.sources (path = {s.path}): {problem}" for s in sources])
