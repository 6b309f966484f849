"""Code a corpus with any number of models, and score them on the same notes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.codes.editions import EditionMap
from cclearn.coding import Coder, CoderSettings, Encounter, load_coder
from cclearn.coding.labels.settings import LabelSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.registry import ModelSpec
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError, DataError
from cclearn.evaluation import Comparison, Evaluation, Settings, evaluate
from cclearn.evaluation.bounds import FLOOR, MostFrequentCodes, perfectly_filtered
from cclearn.evaluation.corpora import Corpus, CorpusOptions
from cclearn.evaluation.lm_eval.retention import read_retention
from cclearn.evaluation.report.content import Report, bound_values, introduction
from cclearn.evaluation.report.cost import Cost
from cclearn.evaluation.report.pages import write_report
from cclearn.evaluation.results import Scored, result_of, write_result
from cclearn.model_manifest import read_manifest, scores_labels
from cclearn.notes import CodedNote
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.runtime.files import atomic_folder, sha256_of_file, sha256_of_text
from cclearn.workflows.prices import Prices, measure_cost, read_prices
from cclearn.workflows.score import model_names

Progress = Callable[[Iterable[CodedNote], str, int], Iterable[CodedNote]]
"""Yields coded notes while it shows their number under a title; the last argument is their total."""


@dataclass(frozen=True, slots=True)
class BenchmarkData:
    """The notes of a benchmark.

    Attributes:
        corpus: The corpus, which reads the notes.
        folder: Folder with the files of the corpus.
        options: Options of the corpus, which name the splits.
        system: The code system of the gold codes; the models code with it too.
    """

    corpus: Corpus
    folder: Path
    options: CorpusOptions
    system: CodeSystem

    def read(self, split: str) -> Iterator[CodedNote]:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file of the corpus is missing or malformed.
        """
        return self.corpus.read(self.folder, split, self.options, self.system)


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """Settings of a benchmark.

    Attributes:
        models: Names of the models, in any form that `--model` accepts.
        shots: Number of training notes that each model is shown as examples.
        limit: Maximum number of notes to code; None codes all of them.
        draws: Number of bootstrap draws.
        seed: Seed of the bootstrap.
        prices: YAML file that maps each model to the price of a million tokens read (`prompt`), of a
            million tokens written (`answer`), and of an hour of the machine (`hour`).
        retention: File written by `cclearn retention`, which is added to the report.
        engine: Settings of the models' engines.
        loop: Settings of `span_loop`; None uses `single_pass`.
        calibration: File written by `cclearn calibrate`, or `off` for raw scores; None uses the
            calibration in each model's folder.
        encounter: Setting in which the notes were written.
        assertion: Language of the assertion rules, or `off`.
        pairs: Span pairs whose strings are added to the lexicon and to the candidates of `span_loop`.
        labels: Settings of those models that score labels.
        edition_map: Table of the changes since the edition of the gold, for scores in that edition, or
            `packaged` for the table that comes with cclearn; None computes none.
    """

    models: tuple[str, ...]
    shots: int = 0
    limit: int | None = None
    draws: int = 1_000
    seed: int = 0
    prices: Path | None = None
    retention: Path | None = None
    engine: EngineSettings = field(default_factory=EngineSettings)
    loop: LoopSettings | None = None
    calibration: str | None = None
    encounter: Encounter | None = None
    assertion: AssertionLanguage = "english"
    pairs: Path | None = None
    labels: LabelSettings | None = None
    edition_map: str | None = None


@dataclass(frozen=True, slots=True)
class _Training:
    """What the training split contributes to a benchmark.

    Attributes:
        counts: Number of training notes that contain each code; None if there are no training notes.
        notes: Number of training notes.
        examples: The shortest training notes, which the models are shown.
        warning: What a reader of the scores must know about the training split; None if nothing.
    """

    counts: dict[str, int] | None = None
    notes: int = 0
    examples: Sequence[CodedNote] = ()
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class _ModelRun:
    """One model's part of a benchmark.

    Attributes:
        predictions: File with the notes that the model coded.
        cost: Time, tokens, memory and price of coding.
        description: What the result file records about the model.
    """

    predictions: Path
    cost: Cost
    description: dict[str, Any]


def run_benchmark(
    data: BenchmarkData,
    settings: BenchmarkSettings,
    out: Path,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Scored:
    """Code a corpus with each model, score the models, and write everything to a folder.

    The folder receives `predictions/MODEL.jsonl`, which only its owner can read, `metrics.json`,
    `scores.csv`, `report.html` and `report.md`. The last four contain no text of a note.

    Args:
        data: The notes.
        settings: The models and how they are run.
        out: The folder to write, which appears when everything is done.
        overwrite: Whether an existing folder may be replaced.
        progress: Shows the progress of coding.

    Raises:
        DataError: The corpus or another file cannot be read.
        ConfigurationError: A model cannot be loaded, or there are too few examples for `shots`.
        CclearnError: The folder exists already.
    """
    names = model_names(settings.models)
    prices = read_prices(settings.prices, settings.models)
    retained = read_retention(settings.retention) if settings.retention is not None else []
    changes = settings.edition_map and EditionMap.load(settings.edition_map, data.system)
    _refuse_inputs(out, [data.folder, *map(Path, settings.models)])
    with atomic_folder(out, overwrite, "benchmark") as partial:
        gold = partial / "gold.jsonl"
        count = _write_gold(data, settings.limit, gold)
        training = _read_training(data, settings.shots, _text_hashes(gold))
        runs = {}
        for model, name in names.items():
            coder = _load_coder(model, data.system, settings, training.examples)
            notes: Iterable[CodedNote] = coder.code_many(n.note for n in read_coded_notes(gold))
            if progress is not None:
                notes = progress(notes, f"coding with {name}", count)
            path = partial / "predictions" / f"{name}.jsonl"
            runs[name] = _run_model(model, coder, notes, count, path, prices.get(model))
        scoring = Settings(settings.draws, settings.seed, training.counts, changes or None)
        comparison = _score(gold, runs, data.system, scoring, training.warning)
        bounds = _bounds(gold, runs, data.system, scoring, training)
        result = result_of(
            comparison,
            data.system,
            scoring,
            {"gold": gold, **{name: run.predictions for name, run in runs.items()}},
            **_description(data, settings, runs),
            retention=[row.model_dump() for row in retained],
            bounds=bound_values(bounds),
        )
        write_result(partial, result)
        gold.unlink()  # The user has the corpus; the result file keeps the hash.
        report = Report(
            f"{data.corpus.name}, {data.options.split}",
            introduction(result),
            comparison.evaluations,
            comparison.differences,
            costs={name: run.cost for name, run in runs.items()},
            retained=retained,
            bounds=bounds,
        )
        write_report(partial, report)
    return Scored(comparison, result, bounds)


def _refuse_inputs(out: Path, inputs: Sequence[Path]) -> None:
    """Refuse an output folder that contains, or is, one of the inputs."""
    folder = out.resolve()
    inside = [
        str(path) for path in inputs if path.exists() and path.resolve().is_relative_to(folder)
    ]
    if inside:
        raise ConfigurationError(
            [f"output (out = {out}): {', '.join(inside)} is in it. Name another folder."]
        )


def _write_gold(data: BenchmarkData, limit: int | None, path: Path) -> int:
    """Write the notes to score to a file and return their number."""
    split = data.options.split
    count = write_rows(path, islice(data.read(split), limit))
    if not count:
        raise DataError(data.folder, f"split {split!r} contains no notes")
    return count


def _text_hashes(path: Path) -> set[str]:
    return {sha256_of_text(note.text) for note in read_coded_notes(path)}


def _read_training(data: BenchmarkData, shots: int, scored: Collection[str]) -> _Training:
    """Count the codes of the training notes, and take the shortest notes as examples.

    Args:
        data: The notes of the benchmark.
        shots: Number of examples.
        scored: Hashes of the texts that are scored. Notes with these texts are not training notes.

    Raises:
        ConfigurationError: There are too few examples.
        DataError: The training split cannot be read, although examples are needed.
    """
    split = data.options.training
    if split is None:
        if shots:
            raise ConfigurationError(
                ["shots: the benchmark has no training split. Name one: training=train."]
            )
        return _Training()
    counts: Counter[str] = Counter()
    examples: list[CodedNote] = []
    notes = shared = 0
    try:
        for note in data.read(split):
            if sha256_of_text(note.text) in scored:
                shared += 1
                continue
            notes += 1
            counts.update(assigned.code for assigned in note.codes)
            if note.codes and all(assigned.evidence for assigned in note.codes):
                examples.append(note)
                examples.sort(key=lambda example: (len(example.text), example.id))
                del examples[shots:]
    except DataError as error:
        if shots:
            raise
        return _Training(warning=f"Scores by training frequency are left out: {error}")
    if len(examples) < shots:
        raise ConfigurationError(
            [
                f"shots (shots = {shots}): {len(examples)} notes of the training split ({split})"
                " have evidence for every code and are not scored. Name fewer, or another split."
            ]
        )
    if not notes:
        why = f"the training split ({split}) contains only the scored notes"
        return _Training(warning=f"Scores by training frequency are left out: {why}")
    warning = f"{shared} of the training notes are scored, and left out of the training"
    return _Training(dict(counts), notes, examples, warning if shared else None)


def _load_coder(
    model: str, system: CodeSystem, settings: BenchmarkSettings, examples: Sequence[CodedNote]
) -> Coder:
    coder_settings = CoderSettings(
        model=model,
        engine=settings.engine,
        loop=settings.loop,
        calibration=settings.calibration,
        encounter=settings.encounter,
        assertion=settings.assertion,
        pairs=settings.pairs,
        labels=settings.labels if scores_labels(model) else None,
        examples=examples,
    )
    return load_coder(coder_settings, system)


def _run_model(
    model: str,
    coder: Coder,
    notes: Iterable[CodedNote],
    count: int,
    predictions: Path,
    prices: Prices | None,
) -> _ModelRun:
    """Write the notes that a model codes to a file, and measure what coding them costs."""
    started = time.perf_counter()
    write_rows(predictions, notes)
    seconds = time.perf_counter() - started
    manifest = read_manifest(ModelSpec.parse(model).weights or model)
    calibration = coder.calibration
    description = {
        "model": model,
        "manifest": manifest,
        "prompt_sha256": coder.prompt_sha256,
        "grounded": coder.grounded,
        "calibration": calibration and calibration.model_dump(mode="json", exclude={"curve"}),
    }
    cost = measure_cost(coder.usage, count, seconds, prices, manifest)
    return _ModelRun(predictions, cost, description)


def _score(
    gold: Path,
    runs: Mapping[str, _ModelRun],
    system: CodeSystem,
    scoring: Settings,
    warning: str | None,
) -> Comparison:
    comparison = evaluate(
        read_coded_notes(gold, system),
        {name: read_coded_notes(run.predictions, system) for name, run in runs.items()},
        system,
        scoring,
        compare=True,
    )
    if warning is None:
        return comparison
    return replace(comparison, warnings=(*comparison.warnings, warning))


def _bounds(
    gold: Path,
    runs: Mapping[str, _ModelRun],
    system: CodeSystem,
    scoring: Settings,
    training: _Training,
) -> Mapping[str, Evaluation]:
    """Return the scores of the most frequent codes, and of each model with a perfect filter."""
    found: dict[str, Iterable[CodedNote]] = {}
    if training.counts is not None:
        floor = MostFrequentCodes.of(training.counts, training.notes)
        found[FLOOR] = floor.code_many(read_coded_notes(gold, system))
    for name, run in runs.items():
        predicted = read_coded_notes(run.predictions, system)
        found[f"{name}, perfectly filtered"] = perfectly_filtered(
            read_coded_notes(gold, system), predicted
        )
    return evaluate(read_coded_notes(gold, system), found, system, scoring).evaluations


def _description(
    data: BenchmarkData, settings: BenchmarkSettings, runs: Mapping[str, _ModelRun]
) -> dict[str, Any]:
    """Return what the result file records about the benchmark besides its scores."""
    return {
        "benchmark": {
            "name": data.corpus.name,
            "options": data.options.model_dump(mode="json"),
            "shots": settings.shots,
            "limit": settings.limit,
            "encounter": settings.encounter,
            "assertion": settings.assertion,
        },
        "engine": settings.engine.model_dump(mode="json"),
        "loop": settings.loop.model_dump(mode="json") if settings.loop else None,
        "labels": settings.labels.model_dump(mode="json") if settings.labels else None,
        "pairs_sha256": sha256_of_file(settings.pairs) if settings.pairs else None,
        "models": {name: run.description for name, run in runs.items()},
        "cost": {name: asdict(run.cost) for name, run in runs.items()},
    }
