"""The whole way on a small piece of ICD-10-CM: pairs, notes, training, coding, evaluation, report."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation import Evaluation, Settings, evaluate
from cclearn.evaluation.report.pages import html_report
from cclearn.evaluation.results import result_of, write_result
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.runtime.durable import claimed, is_partial, make_folder
from cclearn.runtime.files import atomic_file, refuse_existing, write_json
from cclearn.runtime.progress import step_bar, track

CODES = 150
"""How many codes the quickstart knows."""

SPAN_ONLY = 30
"""How many of them occur in span rows and in no training note."""

LEAST_STRINGS, LONGEST_MENTION = 2, 60
"""A code is taken when the classification has this many ways of saying it in so many characters."""

TRAINING_NOTES, HELD_OUT_NOTES = 15_000, 200

NOTE_SETTINGS = {"most_codes": 3, "longest_mention": LONGEST_MENTION}
"""Short notes, for a small model."""

NOISE = 0.1
"""The share of mentions with typing errors and the like, in training and held-out notes."""

VARIANTS = 2
"""Changed spellings of each span pair."""

RESERVED = 0.3
"""The share of strings that no training note uses; span rows and held-out notes do."""

MARKER = "quickstart.json"
"""Stands in every folder that a quickstart wrote, with its settings."""

_FOLDERS = ("pairs", "train", "held_out", "model", "predictions")
_REPORT = "report.html"
"""The last file that a quickstart writes, and the first that it removes."""

_FILES = (_REPORT, "metrics.json", "note.txt")

SHOWN = 20
"""How many of the held-out notes the report shows."""


@dataclass(frozen=True, slots=True)
class QuickstartData:
    """What the quickstart trains and is tested on.

    Attributes:
        pairs: Span pairs of all codes.
        training: Coded notes for training.
        held_out: Coded notes for the test, also about the span-only codes and the reserved strings.
        span_only: The codes that no training note holds.
    """

    pairs: Path
    training: Path
    held_out: Path
    span_only: frozenset[str]


def build_data(folder: Path, eligible: list[str], seed: int, system: CodeSystem) -> QuickstartData:
    """Build span pairs and coded notes on a sample of codes.

    Args:
        folder: Gets the folders `pairs`, `train` and `held_out`.
        eligible: The codes to take the sample from, by `eligible_codes`.
        seed: Decides the codes, the split and the notes.
        system: The code system.
    """
    from data_builders.builder import build, configure, find_builder

    order = random.Random(seed)  # noqa: S311 - reproducible, not secret
    codes = sorted(order.sample(eligible, CODES))
    span_only = frozenset(order.sample(codes, SPAN_ONLY))
    builder = find_builder("icd10cm")
    spans = {"codes": codes, "variants": VARIANTS, "seed": seed}
    pairs = build(builder, configure(builder, spans), folder / "pairs", system, progress=track).data
    notes = find_builder("template_notes")
    shared = {**NOTE_SETTINGS, "noise": NOISE, "pairs": str(pairs), "split_seed": seed}
    settings = {**shared, "notes": HELD_OUT_NOTES, "seed": seed + 2, "prefix": "held-out"}
    held_out = build(
        notes, configure(notes, settings), folder / "held_out", system, progress=track
    ).data
    settings = {
        **shared,
        "notes": TRAINING_NOTES,
        "codes": [code for code in codes if code not in span_only],
        "reserved": RESERVED,
        "seed": seed + 1,
        "prefix": "train",
        "avoid": str(held_out),
    }
    training = build(
        notes, configure(notes, settings), folder / "train", system, progress=track
    ).data
    return QuickstartData(pairs, training, held_out, span_only)


def eligible_codes(chapter: str, system: CodeSystem) -> list[str]:
    """Return the codes of a chapter, block or header that can be said in several short ways.

    Raises:
        UnknownCodeError: There is no such chapter.
        ConfigurationError: It has too few such codes.
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
                f"chapter (chapter = {chapter}): {len(eligible)} of its codes can be said in"
                f" {LEAST_STRINGS} or more short ways, {CODES} are needed."
                " Try another chapter, e.g. 9 or 11."
            ]
        )
    return eligible


def train(recipe_name: str, data: QuickstartData, output: Path, overrides: list[str]) -> Path:
    """Train one of the `tiny` recipes on the quickstart's data and return the run's folder."""
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
        return run_sft(recipe, progress=progress)


def code_held_out(coder: Coder, data: QuickstartData) -> list[CodedNote]:
    """Code the held-out notes."""
    gold = list(read_coded_notes(data.held_out))
    coded = coder.code_many(note.note for note in gold)
    return list(track(coded, f"coding with {coder.name}", len(gold)))


def scoring(data: QuickstartData) -> Settings:
    """Return how the quickstart scores: the codes that occur in span rows only are unseen ones."""
    counts = Counter(a.code for note in read_coded_notes(data.training) for a in note.codes)
    return Settings(training=counts)


def run_quickstart(
    folder: Path,
    chapter: str = "9",
    seed: int = 0,
    steps: int | None = None,
    overwrite: bool = False,
    say: Callable[[str], Any] = print,
) -> dict[str, Evaluation]:
    """Run everything and write it to a folder.

    A quickstart that was stopped is begun anew in the same folder.

    Args:
        folder: Gets the data, the run, the predictions, `metrics.json` and `report.html`.
        chapter: The chapter of ICD-10-CM, or any block or header, to take the codes from.
        seed: Of everything.
        steps: Training steps, if not the recipe's.
        overwrite: Whether a folder of an earlier quickstart may be used again.
        say: Told what is being done.

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
        _make_room(folder)
        return _fill(folder, chapter, seed, steps, eligible, system, say)


def _fill(
    folder: Path,
    chapter: str,
    seed: int,
    steps: int | None,
    eligible: list[str],
    system: CodeSystem,
    say: Callable[[str], Any],
) -> dict[str, Evaluation]:
    """Write everything to a folder that this process has claimed, the report last."""
    write_json(folder / MARKER, {"chapter": chapter, "seed": seed, "steps": steps})
    say(f"Building span pairs and notes from {system.name} {system.release}, chapter {chapter}")
    data = build_data(folder, eligible, seed, system)
    overrides = [f"seed={seed}"] + ([f"training.steps={steps}"] if steps else [])
    run = train("tiny/sft_scratch", data, folder / "model", overrides)
    answers: dict[str, list[CodedNote]] = {}
    written: dict[str, Path] = {"gold": data.held_out}
    for name, coder in (
        ("tiny/sft_scratch", Coder.load(run, system)),
        ("lexicon", Coder.lexicon(system)),
    ):
        coder.name = name
        answers[name] = code_held_out(coder, data)
        written[name] = folder / "predictions" / f"{name.replace('/', '-')}.jsonl"
        write_rows(written[name], answers[name])
    gold = list(read_coded_notes(data.held_out))
    settings = scoring(data)
    comparison = evaluate(gold, answers, system, settings, compare=True)
    result = result_of(
        comparison, system, settings, written, span_only_codes=sorted(data.span_only)
    )
    write_result(folder / "metrics.json", result)
    sample = next(note for note in gold if note.codes)
    with atomic_file(folder / "note.txt") as stream:
        stream.write(sample.text.encode("utf-8"))
    page = html_report(
        f"cclearn quickstart, ICD-10-CM chapter {chapter}",
        [
            f"{CODES} codes, {SPAN_ONLY} of which occur in span rows only and in no training note;"
            f" {_lines(data.training):,} training notes; {len(gold)} held-out notes, scored below."
            " All notes are synthetic, written from templates: these figures say that the machinery"
            " works, not how it codes real notes.",
            f"Both systems may assign any of the {len(system.billable_codes()):,} billable codes of"
            f" release {system.release}.",
        ],
        comparison.evaluations,
        gold[:SHOWN],
        {name: {note.id: note for note in coded} for name, coded in answers.items()},
    )
    with atomic_file(folder / _REPORT) as stream:
        stream.write(page.encode("utf-8"))
    return comparison.evaluations


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


def _is_unfinished(folder: Path) -> bool:
    """Say whether a folder holds a quickstart that was stopped, and nothing that is worth keeping."""
    if not folder.is_dir() or (folder / _REPORT).exists():
        return False
    return (folder / MARKER).is_file() or all(map(is_partial, folder.iterdir()))


def _make_room(folder: Path) -> None:
    """Remove what an earlier quickstart wrote, and nothing else.

    Raises:
        CclearnError: The folder holds something, and is no quickstart's.
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
