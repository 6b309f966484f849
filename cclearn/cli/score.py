"""The commands that score: evaluate, compare, spans, benchmark, retention and export-task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli.options import (
    AssertionOption,
    CalibrationOption,
    EditionMapOption,
    EncounterOption,
    FileOptions,
    JSONOption,
    ModelRunOptions,
    ModelsOption,
    OverwriteOption,
    PairsOption,
    ResultOption,
    SystemOptions,
    TrainOption,
    print_json,
    print_settings,
    with_options,
)
from cclearn.cli.program import App
from cclearn.cli.settings import read_settings
from cclearn.errors import ConfigurationError, visible
from cclearn.runtime.display import print_message

if TYPE_CHECKING:
    from cclearn.codes import CodeSystem
    from cclearn.evaluation.results import Scored
    from cclearn.notes import CodedNote


def add_score_commands(app: App) -> None:
    """Add the commands to the program."""
    app.add(
        "evaluate",
        evaluate_command,
        "cclearn evaluate --gold gold.jsonl --pred coded.jsonl",
        "cclearn evaluate --gold gold.jsonl --pred coded/ --train train.jsonl --out scores",
    )
    app.add(
        "compare",
        compare_command,
        "cclearn compare --gold gold.jsonl --pred one.jsonl --pred two.jsonl",
    )
    app.add(
        "spans",
        spans_command,
        "cclearn spans pairs.jsonl --model runs/mine --model lexicon",
    )
    app.add(
        "benchmark",
        benchmark_command,
        "cclearn benchmark --list",
        "cclearn benchmark codiesp language=es --data codiesp --model lexicon --out scores",
    )
    app.add(
        "retention",
        retention_command,
        "cclearn retention --before BASE --after runs/mine --task hellaswag --out retention.json",
    )
    app.add(
        "export-task",
        export_task_command,
        "cclearn export-task codiesp --data codiesp --out tasks",
    )


def _score_files(
    files: FileOptions, system: CodeSystem, show: int = 0, compare: bool = False
) -> Scored:
    from cclearn.workflows.score import ScoringOptions, score_files

    options = ScoringOptions(
        files.out, files.train, files.draws, files.seed, files.overwrite, files.edition_map
    )
    return score_files(files.gold, files.pred, system, options, show, compare)


@with_options(files=FileOptions, system=SystemOptions)
def evaluate_command(
    files: Callable[[], FileOptions],
    show: Annotated[
        int,
        typer.Option(min=0, help="Number of the worst notes to show, with text, in the report."),
    ] = 0,
    *,
    system: Callable[[], SystemOptions],
) -> None:
    """Score predictions: their codes, their evidence, and invalid and ungrounded answers."""
    options = files()
    if show and options.out is None:
        raise ConfigurationError(
            [f"evaluate (show = {show}): a report needs a folder. Name --out."]
        )
    _print_scored(_score_files(options, system().load(), show), options.as_json, differences=False)


@with_options(files=FileOptions, system=SystemOptions)
def compare_command(
    files: Callable[[], FileOptions], *, system: Callable[[], SystemOptions]
) -> None:
    """Compare systems on the same notes: differences with intervals and p-values."""
    options = files()
    if len(options.pred) < 2:
        raise ConfigurationError(
            [
                f"compare (pred = {options.pred[0]}): only one system. Name two or more files with"
                " --pred."
            ]
        )
    if not options.draws:
        raise ConfigurationError(["compare (draws = 0): a comparison needs draws. Name 1 or more."])
    scored = _score_files(options, system().load(), compare=True)
    _print_scored(scored, options.as_json, scores=False)


@with_options(run=ModelRunOptions, system=SystemOptions)
def spans_command(
    spans: Annotated[Path, typer.Argument(help="Span pairs: evidence spans with gold codes.")],
    model: ModelsOption,
    run: Callable[[], ModelRunOptions],
    pairs: PairsOption = None,
    out: ResultOption = None,
    train: TrainOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of spans to code.")
    ] = None,
    *,
    system: Callable[[], SystemOptions],
    overwrite: OverwriteOption = False,
    as_json: JSONOption = False,
) -> None:
    """Code evidence spans with any number of models, and score the models."""
    from cclearn.coding.model_record import model_record
    from cclearn.runtime.audit import audited
    from cclearn.runtime.files import sha256_of_file
    from cclearn.workflows.score import ScoringOptions, score_spans

    options = run()
    engine, loop = options.engine_settings, options.loop_settings
    _quiet_libraries_of(model)
    loaded = system().load()
    with audited("spans") as audit:
        digest = sha256_of_file(spans) if spans.is_file() else None
        audit.begin(
            [model_record(name, engine=engine) for name in model], loaded, corpus_sha256=digest
        )
        scoring = ScoringOptions(out, train, options.draws, options.seed, overwrite)
        scored = score_spans(
            spans, model, loaded, scoring, limit, engine, loop, options.label_settings, pairs
        )
    _print_scored(scored, as_json, "spans")


@with_options(run=ModelRunOptions, system=SystemOptions)
def benchmark_command(
    name: Annotated[str | None, typer.Argument(help="Name of the benchmark.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="Options of the benchmark: key=value, with values as in YAML."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the data of the corpus.")] = None,
    model: ModelsOption = [],  # noqa: B006 - never changed
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
    shots: Annotated[
        int, typer.Option(min=0, help="Number of training notes shown to each model.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of notes to code.")
    ] = None,
    prices: Annotated[Path | None, typer.Option(help="Table of prices (YAML).")] = None,
    retention: Annotated[
        Path | None,
        typer.Option(help="File written by `cclearn retention`, which is added to the report."),
    ] = None,
    *,
    run: Callable[[], ModelRunOptions],
    calibration: CalibrationOption = None,
    encounter: EncounterOption = None,
    assertion: AssertionOption = "english",
    pairs: PairsOption = None,
    edition_map: EditionMapOption = None,
    listing: Annotated[
        bool, typer.Option("--list", help="List the benchmarks and their options.")
    ] = False,
    system: Callable[[], SystemOptions],
    overwrite: OverwriteOption = False,
    as_json: JSONOption = False,
) -> None:
    """Code a published corpus with any number of models, and score the models."""
    from cclearn.evaluation.corpora import find_corpus, options_of

    if listing:
        _list_benchmarks(as_json)
        return
    required = {"a benchmark's name": name, "--data": data, "--model": model, "--out": out}
    missing = [option for option, value in required.items() if not value]
    if name is None or data is None or out is None or not model:
        raise ConfigurationError(
            [f"benchmark: {', '.join(missing)} needed. See `cclearn benchmark --list`."]
        )
    from cclearn.coding.model_record import model_record
    from cclearn.runtime.audit import audited
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import track
    from cclearn.workflows.benchmark import BenchmarkData, BenchmarkSettings, run_benchmark

    corpus = find_corpus(name)
    corpus_options = options_of(corpus, read_settings(settings or []))
    options = run()
    benchmark = BenchmarkSettings(
        tuple(model),
        shots=shots,
        limit=limit,
        draws=options.draws,
        seed=options.seed,
        prices=prices,
        retention=retention,
        engine=options.engine_settings,
        loop=options.loop_settings,
        labels=options.label_settings,
        calibration=calibration,
        encounter=encounter,
        assertion=assertion,
        pairs=pairs,
        edition_map=edition_map,
    )
    refuse_existing(out, overwrite)
    _quiet_libraries_of(model)
    notes = BenchmarkData(corpus, data, corpus_options, system().load())
    with audited("benchmark") as audit:
        audit.begin([model_record(name, engine=benchmark.engine) for name in model], notes.system)

        def read(coded: Iterable[CodedNote], title: str, count: int) -> Iterable[CodedNote]:
            return track(audit.read(coded), title, count)  # Every model codes the same notes.

        scored = run_benchmark(notes, benchmark, out, overwrite, read)
    _print_scored(scored, as_json)
    print_message(f"Report: {out / 'report.html'}")


def _list_benchmarks(as_json: bool) -> None:
    from cclearn.evaluation.corpora import all_corpora

    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "summary": corpus.summary,
                    "options": corpus.options_type.model_json_schema()["properties"],
                }
                for name, corpus in all_corpora().items()
            ]
        )
        return
    for name, corpus in all_corpora().items():
        typer.echo(f"{name}: {corpus.summary}")
        print_settings(corpus.options_type)


def _quiet_libraries_of(models: Iterable[str]) -> None:
    """Turn off the progress bars of the libraries that the models need."""
    from cclearn.engines.registry import is_lexicon
    from cclearn.runtime.progress import quiet_libraries

    if not all(map(is_lexicon, models)):
        quiet_libraries()


def _print_scored(
    scored: Scored,
    as_json: bool,
    unit: str = "notes",
    scores: bool = True,
    differences: bool = True,
) -> None:
    """Print the tables of a comparison or its result as JSON, and its warnings to standard error."""
    from cclearn.cli.tables import bound_table, difference_table, print_view, score_table

    comparison = scored.comparison
    if as_json:
        print_json(scored.result.model_dump(mode="json"))
        scores = differences = False
    if scores:
        print_view(score_table(comparison.evaluations, unit))
    if scores and scored.bounds:
        print_view(bound_table(scored.bounds))
    if differences and comparison.differences:
        print_view(difference_table(comparison.differences))
    for warning in comparison.warnings:
        print_message(f"{warning}.")
    for name, evaluation in comparison.evaluations.items():
        for warning in evaluation.warnings:
            print_message(f"{name}: {warning}.")


def retention_command(
    before: Annotated[
        str, typer.Option(help="Model before tuning: a folder or a name on the Hugging Face Hub.")
    ],
    after: Annotated[
        str, typer.Option(help="Model after tuning: its folder, or the folder of its adapter.")
    ],
    task: Annotated[
        list[str], typer.Option(help="Name of a task of lm-evaluation-harness; repeatable.")
    ],
    out: Annotated[
        Path, typer.Option(help="JSON file to write, for `cclearn benchmark --retention`.")
    ],
    include: Annotated[Path | None, typer.Option(help="Folder with additional tasks.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of examples per task.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Batch size of the harness.")] = 8,
    overwrite: OverwriteOption = False,
) -> None:
    """Score a model before and after tuning on tasks of lm-evaluation-harness."""
    from cclearn.evaluation.lm_eval.retention import run_retention
    from cclearn.runtime.files import refuse_existing, write_json

    refuse_existing(out, overwrite)
    rows = run_retention(before, after, task, include, limit, batch_size)
    content = {
        "models": {"before": before, "after": after},
        "retention": [row.model_dump() for row in rows],
    }
    write_json(out, content, overwrite)
    for row in rows:
        scores = f"{row.before:.3f} before, {row.after:.3f} after"
        typer.echo(f"{visible(row.task)} {visible(row.metric)}: {scores}")


def export_task_command(
    name: Annotated[str, typer.Argument(help="Name of the benchmark.")],
    data: Annotated[Path, typer.Option(help="Folder with the data of the corpus.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it will contain the notes' text.")],
    settings: Annotated[
        list[str] | None, typer.Argument(help="Options of the benchmark: key=value.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a benchmark as a task of lm-evaluation-harness, for the package's release of ICD-10-CM."""
    from cclearn.codes import CodeSystem
    from cclearn.evaluation.corpora import find_corpus, options_of
    from cclearn.evaluation.lm_eval.export import export_task
    from cclearn.runtime.files import refuse_existing

    corpus = find_corpus(name)
    options = options_of(corpus, read_settings(settings or []))
    refuse_existing(out, overwrite)
    system = CodeSystem.load()
    task = f"cclearn_{name.replace('-', '_')}"
    notes = corpus.read(data, options.split, options, system)
    count = export_task(notes, task, system, out, overwrite)
    print_message(f"{count} notes: lm_eval --tasks {task} --include_path {out}")
