"""The commands that score: evaluate, compare, spans, benchmark, retention, export-task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli.options import (
    MODEL_HELP,
    CalibrationOption,
    EarlierOption,
    EncounterOption,
    EngineOption,
    LoopOption,
    ModeOption,
    OverwriteOption,
    ReleaseOption,
    SystemOption,
    engine_settings,
    list_settings,
    load_system,
    loop_settings,
    read_settings,
)
from cclearn.errors import ConfigurationError, visible
from cclearn.runtime.shown import tell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cclearn.evaluation import Comparison
    from cclearn.notes import CodedNote

GoldOption = Annotated[Path, typer.Option(help="Coded notes (JSONL) that are right.")]
PredictionOption = Annotated[
    list[Path], typer.Option(help="Coded notes of a system; may be repeated.")
]
ResultOption = Annotated[
    Path | None, typer.Option(help="A folder for metrics.json, report.html and report.md.")
]
TrainOption = Annotated[
    Path | None, typer.Option(help="The coded notes of the training, for scores by frequency.")
]
DrawsOption = Annotated[int, typer.Option(min=0, help="Of the bootstrap; 0 for no intervals.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Decides the draws.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (evaluate, compare, spans, benchmark, retention, export_task):
        app.command()(command)


def evaluate(
    gold: GoldOption,
    pred: PredictionOption,
    out: ResultOption = None,
    train: TrainOption = None,
    draws: DrawsOption = 1_000,
    seed: SeedOption = 0,
    show: Annotated[
        int, typer.Option(min=0, help="Show the worst notes, with their text, in the report.")
    ] = 0,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Score predictions: codes, evidence, invalid and ungrounded answers."""
    from cclearn.cli.tables import print_view, score_table
    from cclearn.workflows.score import score_files

    if show and out is None:
        raise ConfigurationError(
            [f"evaluate (show = {show}): a report needs a folder. Name --out."]
        )
    loaded = load_system(system, release, earlier)
    comparison = score_files(gold, pred, loaded, out, train, draws, seed, show, overwrite=overwrite)
    print_view(score_table(comparison.evaluations))
    _warn(comparison)


def compare(
    gold: GoldOption,
    pred: PredictionOption,
    out: ResultOption = None,
    train: TrainOption = None,
    draws: DrawsOption = 1_000,
    seed: SeedOption = 0,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Compare systems on the same notes: differences with intervals and p-values."""
    from cclearn.cli.tables import difference_table, print_view
    from cclearn.workflows.score import score_files

    if len(pred) < 2:
        raise ConfigurationError(
            [f"compare (pred = {pred[0]}): one system alone. Name two or more files with --pred."]
        )
    if not draws:
        raise ConfigurationError(["compare (draws = 0): a comparison needs draws. Name 1 or more."])
    loaded = load_system(system, release, earlier)
    comparison = score_files(
        gold, pred, loaded, out, train, draws, seed, compare=True, overwrite=overwrite
    )
    print_view(difference_table(comparison.differences))
    _warn(comparison)


def spans(
    pairs: Annotated[
        Path, typer.Argument(help="Span pairs: the spans, and the codes that are right.")
    ],
    model: Annotated[
        list[str],
        typer.Option(help=f"{MODEL_HELP}; repeatable."),
    ],
    out: ResultOption = None,
    train: TrainOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Code only so many spans.")] = None,
    engine: EngineOption = None,
    mode: ModeOption = "single_pass",
    loop: LoopOption = None,
    draws: DrawsOption = 1_000,
    seed: SeedOption = 0,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Code evidence spans with any number of models, and score them."""

    from cclearn.cli.tables import difference_table, print_view, score_table
    from cclearn.coding.model_record import model_record
    from cclearn.engines.registry import is_lexicon
    from cclearn.runtime.audit import audited
    from cclearn.runtime.files import sha256_of_file
    from cclearn.runtime.progress import quiet_libraries
    from cclearn.workflows.score import score_spans

    asked, looped = engine_settings(engine), loop_settings(mode, loop)
    if not all(map(is_lexicon, model)):
        quiet_libraries()
    loaded = load_system(system, release, earlier)
    with audited("spans") as audit:
        digest = sha256_of_file(pairs) if pairs.is_file() else None
        audit.begin(
            [model_record(each, engine=asked) for each in model], loaded, corpus_sha256=digest
        )
        found = score_spans(
            pairs, model, loaded, out, train, limit, draws, seed, asked, looped, overwrite
        )
    print_view(score_table(found.evaluations, "spans"))
    if found.differences:
        print_view(difference_table(found.differences))
    _warn(found)


def benchmark(
    name: Annotated[str | None, typer.Argument(help="The benchmark.")] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(help="Its options: key=value, values as in YAML.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder that holds its data.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help=f"{MODEL_HELP}; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    shots: Annotated[int, typer.Option(min=0, help="Training notes shown to each model.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Code only so many notes.")] = None,
    prices: Annotated[Path | None, typer.Option(help="A table of prices (YAML).")] = None,
    retention: Annotated[
        Path | None, typer.Option(help="What `cclearn retention` wrote, for the report.")
    ] = None,
    engine: EngineOption = None,
    mode: ModeOption = "single_pass",
    loop: LoopOption = None,
    calibration: CalibrationOption = None,
    encounter: EncounterOption = None,
    draws: DrawsOption = 1_000,
    seed: SeedOption = 0,
    listing: Annotated[bool, typer.Option("--list", help="List the benchmarks.")] = False,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Code a published corpus with any number of models, and score them."""
    from cclearn.evaluation.corpora import all_corpora, find_corpus, options_of

    if listing:
        for known, corpus in all_corpora().items():
            typer.echo(f"{known}: {corpus.summary}")
            list_settings(corpus.options_type)
        return
    missing = [
        option
        for option, value in (("a benchmark's name", name), ("--data", data), ("--model", model))
        if not value
    ] + ([] if out else ["--out"])
    if name is None or data is None or out is None or not model:
        raise ConfigurationError(
            [f"benchmark: {', '.join(missing)} needed. See `cclearn benchmark --list`."]
        )
    from cclearn.cli.tables import difference_table, print_view, score_table
    from cclearn.coding.model_record import model_record
    from cclearn.engines.registry import is_lexicon
    from cclearn.runtime.audit import audited
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import quiet_libraries, track
    from cclearn.workflows.benchmark import BenchmarkData, BenchmarkSettings, run_benchmark

    corpus = find_corpus(name)
    options = options_of(corpus, read_settings(settings or []))
    asked, looped = engine_settings(engine), loop_settings(mode, loop)
    refuse_existing(out, overwrite)
    if not all(map(is_lexicon, model)):
        quiet_libraries()
    run = BenchmarkSettings(
        tuple(model),
        shots,
        limit,
        draws,
        seed,
        prices,
        retention,
        asked,
        looped,
        calibration,
        encounter,
    )
    loaded = load_system(system, release, earlier)
    with audited("benchmark") as audit:
        audit.begin([model_record(each, engine=asked) for each in model], loaded)

        def read(
            coded: Iterable[CodedNote], title: str, count: int
        ) -> Iterable[CodedNote]:  # The same notes for each model.
            return track(audit.read(coded), title, count)

        notes = BenchmarkData(corpus, data, options, loaded)
        comparison = run_benchmark(notes, run, out, overwrite, read)
    print_view(score_table(comparison.evaluations))
    if comparison.differences:
        print_view(difference_table(comparison.differences))
    _warn(comparison)
    tell(f"Report: {out / 'report.html'}")


def _warn(comparison: Comparison) -> None:
    for warning in comparison.warnings:
        tell(f"{warning}.")
    for name, evaluation in comparison.evaluations.items():
        for warning in evaluation.warnings:
            tell(f"{name}: {warning}.")


def retention(
    before: Annotated[str, typer.Option(help="The model that was tuned: a folder or a hub name.")],
    after: Annotated[str, typer.Option(help="The tuned model, or the folder of its adapter.")],
    task: Annotated[list[str], typer.Option(help="A task of lm-evaluation-harness; repeatable.")],
    out: Annotated[Path, typer.Option(help="A JSON file, for `cclearn benchmark --retention`.")],
    include: Annotated[Path | None, typer.Option(help="A folder with further tasks.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many examples a task.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Of the harness.")] = 8,
    overwrite: OverwriteOption = False,
) -> None:
    """Score a model before and after tuning on tasks of lm-evaluation-harness."""
    from cclearn.evaluation.lm_eval.retention import run_retention
    from cclearn.runtime.files import refuse_existing, write_json

    refuse_existing(out, overwrite)
    found = run_retention(before, after, task, include, limit, batch_size)
    models = {"before": before, "after": after}
    told = {"models": models, "retention": [each.model_dump() for each in found]}
    write_json(out, told, overwrite)
    for each in found:
        scores = f"{each.before:.3f} before, {each.after:.3f} after"
        typer.echo(f"{visible(each.task)} {visible(each.metric)}: {scores}")


def export_task(
    name: Annotated[str, typer.Argument(help="The benchmark.")],
    data: Annotated[Path, typer.Option(help="The folder that holds its data.")],
    out: Annotated[Path, typer.Option(help="The folder to write to; it holds the notes' text.")],
    settings: Annotated[list[str] | None, typer.Argument(help="Its options: key=value.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a benchmark as a task of lm-evaluation-harness (ICD-10-CM, the package's release)."""
    from cclearn.codes import CodeSystem
    from cclearn.evaluation.corpora import find_corpus, options_of
    from cclearn.evaluation.lm_eval.export import export_task as export
    from cclearn.runtime.files import refuse_existing

    corpus = find_corpus(name)
    options = options_of(corpus, read_settings(settings or []))
    refuse_existing(out, overwrite)
    system = CodeSystem.load()
    task = f"cclearn_{name.replace('-', '_')}"
    count = export(corpus.read(data, options.split, options, system), task, system, out, overwrite)
    tell(f"{count} notes: lm_eval --tasks {task} --include_path {out}")
