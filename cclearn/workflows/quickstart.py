"""The quickstart: data, training, coding, evaluation and a report for a small part of ICD-10-CM."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cclearn
from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation import Comparison, Evaluation, Settings, evaluate
from cclearn.evaluation.report.content import Report
from cclearn.evaluation.report.html_page import html_report
from cclearn.evaluation.results import result_of, write_result
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.runtime.durable import claimed, is_partial, make_folder
from cclearn.runtime.files import atomic_file, refuse_existing, write_json
from cclearn.runtime.parsing import read_json
from cclearn.runtime.progress import step_bar, track

if TYPE_CHECKING:
    from data_builders.builder import Builder

CODES = 150
"""Number of codes in the sample."""

SPAN_ONLY = 30
"""Number of these codes that occur in span rows but in no training note."""

LEAST_STRINGS, LONGEST_MENTION = 2, 60
"""A code is eligible if it has this number of terms, each of at most this number of characters."""

TRAINING_NOTES, HELD_OUT_NOTES = 15_000, 200

NOTE_SETTINGS = {"most_codes": 3, "longest_mention": LONGEST_MENTION}
"""Settings of the builder for short notes, which suit a small model."""

NOISE = 0.1
"""Share of mentions with typing errors and similar noise, in training and held-out notes."""

VARIANTS = 2
"""Number of spelling variants of each span pair."""

RESERVED = 0.3
"""Share of terms that occur in span rows and held-out notes but in no training note."""

MARKER = "quickstart.json"
"""File with the settings of a quickstart, which marks the folders that it wrote."""

_FOLDERS = ("pairs", "train", "held_out", "model", "model.checkpoints", "predictions")
_REPORT = "report.html"
"""The last file that a quickstart writes, and the first that it removes."""

_FILES = (_REPORT, "metrics.json", "scores.csv", "note.txt")

_CHECKPOINT = 100
"""Number of training steps that a stopped quickstart loses at most."""

FIRST_NOTE = "Admitted with acute systolic heart failure and type 2 diabetes. No pneumonia."
"""Text that the lexicon codes at the beginning."""

SHOWN = 20
"""Number of held-out notes in the report."""


@dataclass(frozen=True, slots=True)
class QuickstartData:
    """Training and test data of the quickstart.

    Attributes:
        pairs: Span pairs of all codes.
        training: Coded notes for training.
        held_out: Coded notes for testing, which include span-only codes and reserved terms.
        span_only: Codes that no training note contains.
    """

    pairs: Path
    training: Path
    held_out: Path
    span_only: frozenset[str]


def build_data(folder: Path, eligible: list[str], seed: int, system: CodeSystem) -> QuickstartData:
    """Build span pairs and coded notes on a sample of codes.

    Args:
        folder: Folder in which the folders `pairs`, `train` and `held_out` are written. Those that exist
            are kept: they are complete, and belong to the same arguments.
        eligible: Codes from which the sample is drawn, returned by `eligible_codes`.
        seed: Seed of the sample of codes, of the split and of the notes.
        system: The code system.
    """
    from data_builders.builder import configure, find_builder
    from data_builders.output import build

    def built(builder: Builder, settings: dict[str, Any], name: str) -> Path:
        existing = folder / name / builder.data_file
        if _is_complete(folder / name):
            return existing
        config = configure(builder, settings)
        return build(builder, config, folder / name, system, progress=track).data

    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    codes = sorted(rng.sample(eligible, CODES))
    span_only = frozenset(rng.sample(codes, SPAN_ONLY))
    builder = find_builder("icd10cm")
    spans = {"codes": codes, "variants": VARIANTS, "seed": seed}
    pairs = built(builder, spans, "pairs")
    notes = find_builder("template_notes")
    shared = {**NOTE_SETTINGS, "noise": NOISE, "pairs": str(pairs), "split_seed": seed}
    settings = {**shared, "notes": HELD_OUT_NOTES, "seed": seed + 2, "prefix": "held-out"}
    held_out = built(notes, settings, "held_out")
    settings = {
        **shared,
        "notes": TRAINING_NOTES,
        "codes": [code for code in codes if code not in span_only],
        "reserved": RESERVED,
        "seed": seed + 1,
        "prefix": "train",
        "avoid": str(held_out),
    }
    training = built(notes, settings, "train")
    return QuickstartData(pairs, training, held_out, span_only)


def eligible_codes(chapter: str, system: CodeSystem) -> list[str]:
    """Return the codes of a chapter, block or header that have several short terms.

    Raises:
        UnknownCodeError: There is no such chapter.
        ConfigurationError: The chapter has too few such codes.
    """
    from data_builders.builder import configure, find_builder

    builder = find_builder("icd10cm")
    strings = Counter(
        row.code
        for row in builder.rows(configure(builder, {"under": chapter}), system)
        if isinstance(row, SpanPair) and len(row.text) <= LONGEST_MENTION
    )
    eligible = [code for code, count in strings.items() if count >= LEAST_STRINGS]
    if len(eligible) < CODES:
        raise ConfigurationError(
            [
                f"chapter (chapter = {chapter}): {len(eligible)} of its codes have"
                f" {LEAST_STRINGS} or more short terms, {CODES} are needed."
                " Try another chapter, e.g. 9 or 11."
            ]
        )
    return eligible


def train(recipe_name: str, data: QuickstartData, output: Path, overrides: list[str]) -> Path:
    """Train with one of the `tiny` recipes on the quickstart's data, and return the folder of the
    model. A run that was stopped continues from its last checkpoint."""
    from cclearn.training.recipe_file import load_recipe
    from cclearn.training.sft import run_sft

    recipe = load_recipe(recipe_name)
    files = {"span": data.pairs, "document": data.training}
    paths = [
        f"rows.sources.{number}.path={json.dumps(str(files[source.kind]))}"
        for number, source in enumerate(recipe.rows.sources)
    ]
    recipe = load_recipe(recipe_name, [*paths, f"output={json.dumps(str(output))}", *overrides])
    with step_bar(f"training {recipe.name}") as progress:
        return run_sft(recipe, resume="auto", progress=progress)


def code_held_out(coder: Coder, data: QuickstartData) -> list[CodedNote]:
    """Code the held-out notes."""
    gold = list(read_coded_notes(data.held_out))
    coded = coder.code_many(note.note for note in gold)
    return list(track(coded, f"coding with {coder.name}", len(gold)))


def scoring(data: QuickstartData) -> Settings:
    """Return the settings of the evaluation. Codes that occur in span rows only count as unseen."""
    counts = Counter(a.code for note in read_coded_notes(data.training) for a in note.codes)
    return Settings(training=counts)


def run_quickstart(
    folder: Path,
    chapter: str = "9",
    seed: int = 0,
    steps: int | None = None,
    overwrite: bool = False,
    print_line: Callable[[str], Any] = print,
) -> dict[str, Evaluation]:
    """Run the quickstart and write its outputs to a folder.

    A quickstart that was stopped continues in the same folder, if its arguments are the same. Otherwise
    it starts again.

    Args:
        folder: Folder for the data, the model, the predictions, `metrics.json` and `report.html`.
        chapter: Chapter of ICD-10-CM, or any block or header, from which the codes are drawn.
        seed: Seed of the data and of the training.
        steps: Number of training steps; None uses the number in the recipe.
        overwrite: Whether the folder of an earlier quickstart may be overwritten.
        print_line: Function that shows a line about the current step.

    Returns:
        The scores by system.

    Raises:
        CclearnError: The folder exists, another quickstart is writing it, or the chapter is unknown or
            too small.
    """
    system = CodeSystem.load()
    eligible = eligible_codes(chapter, system)
    refuse_existing(folder, overwrite or _is_unfinished(folder))
    make_folder(folder.absolute().parent)
    with claimed(folder.absolute()):
        settings = {
            "chapter": chapter,
            "seed": seed,
            "steps": steps,
            "cclearn": cclearn.__version__,
            "release": system.release,
        }
        if not overwrite and _settings_of(folder) == settings:
            print_line(f"Continuing the quickstart in {folder}")
        else:
            _make_room(folder)
            write_json(folder / MARKER, settings)
        return _run(folder, chapter, seed, steps, eligible, system, print_line)


def _run(
    folder: Path,
    chapter: str,
    seed: int,
    steps: int | None,
    eligible: list[str],
    system: CodeSystem,
    print_line: Callable[[str], Any],
) -> dict[str, Evaluation]:
    """Write all outputs to a folder that this process has claimed, the report last."""
    lexicon = Coder.lexicon(system)
    _show_coded(lexicon, print_line)
    print_line(
        f"Building span pairs and notes from {system.name} {system.release}, chapter {chapter}"
    )
    data = build_data(folder, eligible, seed, system)
    overrides = [f"seed={seed}", f"training.save_every={_CHECKPOINT}"]
    overrides += [f"training.steps={steps}"] if steps else []
    run = folder / "model"
    if _is_complete(run):
        shutil.rmtree(folder / "model.checkpoints", ignore_errors=True)
    else:
        train("tiny/sft_scratch", data, run, overrides)
    answers: dict[str, list[CodedNote]] = {}
    written: dict[str, Path] = {"gold": data.held_out}
    for name, coder in (
        ("tiny/sft_scratch", Coder.load(run, system)),
        ("lexicon", lexicon),
    ):
        coder.name = name
        written[name] = folder / "predictions" / f"{name.replace('/', '-')}.jsonl"
        if not _is_complete(written[name]):
            write_rows(written[name], code_held_out(coder, data))
        answers[name] = list(read_coded_notes(written[name]))
    gold = list(read_coded_notes(data.held_out))
    settings = scoring(data)
    comparison = evaluate(gold, answers, system, settings, compare=True)
    result = result_of(
        comparison, system, settings, written, span_only_codes=sorted(data.span_only)
    )
    write_result(folder, result)
    sample = next(note for note in gold if note.codes)
    with atomic_file(folder / "note.txt") as stream:
        stream.write(sample.text.encode("utf-8"))
    report = _report(chapter, system, data, comparison, gold, answers)
    with atomic_file(folder / _REPORT) as stream:
        stream.write(html_report(report).encode("utf-8"))
    return comparison.evaluations


def _show_coded(coder: Coder, print_line: Callable[[str], Any]) -> None:
    """Show the codes of a first note, because the rest takes minutes."""
    print_line(f"The lexicon, which needs no training, codes: {FIRST_NOTE}")
    for assigned in coder.code(FIRST_NOTE).codes:
        for evidence in assigned.evidence:
            print_line(
                f"  {assigned.code:<8} {assigned.description}, from characters {evidence.start} to"
                f" {evidence.end}: {evidence.text}"
            )


def _report(
    chapter: str,
    system: CodeSystem,
    data: QuickstartData,
    comparison: Comparison,
    gold: list[CodedNote],
    answers: dict[str, list[CodedNote]],
) -> Report:
    introduction = [
        f"{CODES} codes, {SPAN_ONLY} of which occur in span rows only and in no training note;"
        f" {_count_lines(data.training):,} training notes; {len(gold)} held-out notes, scored below."
        " All notes are synthetic, written from templates: these figures say that the machinery"
        " works, not how it codes real notes.",
        f"Both systems may assign any of the {len(system.billable_codes()):,} billable codes of"
        f" release {system.release}.",
    ]
    return Report(
        f"cclearn quickstart, ICD-10-CM chapter {chapter}",
        introduction,
        comparison.evaluations,
        gold=gold[:SHOWN],
        predicted={name: {note.id: note for note in coded} for name, coded in answers.items()},
    )


def _count_lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


def _is_unfinished(folder: Path) -> bool:
    """Return whether a folder contains a quickstart that was stopped, and nothing worth keeping."""
    if not folder.is_dir() or (folder / _REPORT).exists():
        return False
    return (folder / MARKER).is_file() or all(map(is_partial, folder.iterdir()))


def _is_complete(path: Path) -> bool:
    """Return whether an output exists. If it does, remove what a killed process has left beside it."""
    if path.exists():
        with claimed(path):  # This removes the hidden file of another process that is not alive.
            return True
    return False


def _settings_of(folder: Path) -> Any:
    """Return the settings of the quickstart that wrote a folder. None if none did."""
    marker = folder / MARKER
    return read_json(marker) if marker.is_file() else None


def _make_room(folder: Path) -> None:
    """Remove the outputs of an earlier quickstart, and nothing else.

    Raises:
        CclearnError: The folder is not empty, and no quickstart wrote it.
    """
    if not folder.exists() or (folder.is_dir() and all(map(is_partial, folder.iterdir()))):
        return
    if not (folder / MARKER).is_file():
        raise CclearnError(
            f"output (out = {folder}): no quickstart wrote it ({MARKER} is missing), so it is not"
            " overwritten. Name another folder."
        )
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
