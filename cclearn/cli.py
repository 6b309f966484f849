"""The command line. Commands are thin and import what they need when they run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

import cclearn
from cclearn.errors import CclearnError, ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cclearn.codes import CodeSystem
    from cclearn.evaluation import Comparison
    from cclearn.notes import Note

# Typer's own tracebacks would print local variables, and with them notes.
app = typer.Typer(
    help="Assign ICD codes to clinical notes, with the words that justify each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
codes_app = typer.Typer(help="Look into the code system.", no_args_is_help=True)
app.add_typer(codes_app, name="codes")

SystemOption = Annotated[
    str, typer.Option("--system", help="icd10cm, icd9cm, or a .csv table of your own.")
]
ReleaseOption = Annotated[
    Path | None,
    typer.Option(
        "--release",
        help="The official file of another release: order file, tabular list, a folder with both.",
    ),
]
EarlierOption = Annotated[
    list[Path] | None,
    typer.Option("--earlier", help="An earlier release's file, to tell retired codes."),
]
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
SeedOption = Annotated[int, typer.Option(help="Decides the draws.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def main() -> None:
    """Run the command line; an error of the user's is one line and exit code 2."""
    try:
        app()
    except CclearnError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'file system'}: {error.strerror or error}\n")
        sys.exit(2)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cclearn {cclearn.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Hold the options of the program itself."""


@app.command()
def quickstart(
    chapter: Annotated[
        str, typer.Option(help="A chapter of ICD-10-CM (1-22), or any block or header.")
    ] = "9",
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("quickstart"),
    seed: Annotated[int, typer.Option(help="Decides codes, splits, notes and weights.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Go the whole way on a small piece of ICD-10-CM: build, train, code, evaluate, report."""
    from rich.console import Console

    from cclearn.display import score_table
    from cclearn.progress import quiet_libraries
    from cclearn.quickstart import run_quickstart

    quiet_libraries()
    console = Console()

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    scores = run_quickstart(out, chapter, seed, steps, overwrite, say)
    console.print(score_table(scores))
    say(f"Report       {out / 'report.html'}")
    say(f"Model        {out / 'model'}")
    say(f"Predictions  {out / 'predictions'}")
    say("Next, code a note with the lexicon, or with the model just trained:")
    say(f"  cclearn code {quote(str(out / 'note.txt'))}")
    say(f"  cclearn code {quote(str(out / 'note.txt'))} --model {quote(str(out / 'model'))}")
    say("or train again with another seed:")
    say(
        "  accelerate launch -m recipes.sft --config tiny/mixed seed=1"
        f" {quote('rows.sources.0.path=' + str(out / 'pairs' / 'pairs.jsonl'))}"
        f" {quote('rows.sources.1.path=' + str(out / 'train' / 'notes.jsonl'))}"
    )


@app.command()
def code(
    source: Annotated[
        str, typer.Argument(help="A .txt file, a folder of them, a .jsonl file, or - for stdin.")
    ],
    model: Annotated[
        str | None, typer.Option(help="A trained model's folder; the lexicon codes without one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A JSONL file to write to.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Notes decoded together.")] = 32,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Code notes: every code with the words of the note that justify it."""
    from cclearn.codes import CodeSystem
    from cclearn.coding import Coder
    from cclearn.files import refuse_existing
    from cclearn.notes.jsonl import row_to_json, write_rows
    from cclearn.progress import track

    if out is not None:
        refuse_existing(out, overwrite)
        if out.is_dir():
            raise ConfigurationError([f"output (out = {out}): it is a folder. Name a file."])
    loaded = CodeSystem.load(system, release)
    notes = _notes(source)
    if model is None:
        coder: Coder = Coder.lexicon(loaded)
    else:
        from cclearn.progress import quiet_libraries

        quiet_libraries()
        coder = Coder.load(model, loaded, batch_size=batch_size)
    coded = coder.code_many(notes)
    if out is not None:
        count = write_rows(out, track(coded, f"coding with {coder.name}"))
        typer.echo(f"{count} notes coded with {coder.name}: {out}", err=True)
    elif sys.stdout.isatty():
        from rich.console import Console

        from cclearn.display import coded_note_view

        console = Console()
        for note in coded:
            console.print(coded_note_view(note))
    else:
        for note in coded:  # JSON is UTF-8, whatever the locale.
            sys.stdout.buffer.write(row_to_json(note).encode() + b"\n")


def _notes(source: str) -> Iterator[Note]:
    from cclearn.files import decode_text
    from cclearn.notes import Note
    from cclearn.notes.jsonl import read_notes

    if source != "-":
        return read_notes(Path(source))
    text = decode_text(sys.stdin.buffer.read(), "standard input")
    return iter([Note(id="stdin", text=text)])


@app.command()
def build(
    name: Annotated[str | None, typer.Argument(help="The builder.")] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(help="Its settings: key=value, values as in YAML.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the builders.")] = False,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Build span pairs or coded notes."""
    from cclearn.codes import CodeSystem
    from cclearn.progress import track
    from data_builders.builder import build as run_builder
    from data_builders.builder import builder_names, configure, find_builder

    if listing:
        for known in builder_names():
            builder = find_builder(known)
            typer.echo(f"{known}: {builder.summary}")
            _list_settings(builder.config_type)
        return
    if name is None or out is None:
        raise ConfigurationError(
            ["build: a builder's name and --out are needed. See `cclearn build --list`."]
        )
    builder = find_builder(name)
    config = configure(builder, _settings(settings or []))
    loaded = CodeSystem.load(system, release, earlier or ())
    result = run_builder(builder, config, out, loaded, overwrite, progress=track)
    typer.echo(f"{result.stats.get('rows', 0)} rows: {result.data}", err=True)


def _settings(items: list[str]) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = {}
    problems = []
    for item in items:
        key, equals, value = item.partition("=")
        try:
            found[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):
            problems.append(f"setting ({item}): the value is not YAML. Quote it.")
        if not equals:
            problems.append(f"setting ({item}): it is not of the form key=value.")
    if problems:
        raise ConfigurationError(problems)
    return found


@app.command()
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
) -> None:
    """Score predictions: codes, evidence, invalid and ungrounded answers."""
    from rich.console import Console

    from cclearn.display import score_table
    from cclearn.scoring import score_files

    if show and out is None:
        raise ConfigurationError(
            [f"evaluate (show = {show}): a report needs a folder. Name --out."]
        )
    loaded = _load(system, release, earlier)
    comparison = score_files(gold, pred, loaded, out, train, draws, seed, show)
    Console().print(score_table(comparison.evaluations))
    _warn(comparison)


@app.command()
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
) -> None:
    """Compare systems on the same notes: differences with intervals and p-values."""
    from rich.console import Console

    from cclearn.display import difference_table
    from cclearn.scoring import score_files

    if len(pred) < 2:
        raise ConfigurationError(
            [f"compare (pred = {pred[0]}): one system alone. Name two or more files with --pred."]
        )
    if not draws:
        raise ConfigurationError(["compare (draws = 0): a comparison needs draws. Name 1 or more."])
    loaded = _load(system, release, earlier)
    comparison = score_files(gold, pred, loaded, out, train, draws, seed, compare=True)
    Console().print(difference_table(comparison.differences))
    _warn(comparison)


@app.command()
def spans(
    pairs: Annotated[
        Path, typer.Argument(help="Span pairs: the spans, and the codes that are right.")
    ],
    model: Annotated[
        list[str], typer.Option(help="lexicon, or a model's folder; may be repeated.")
    ],
    out: ResultOption = None,
    train: TrainOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Code only so many spans.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Spans decoded together.")] = 32,
    draws: DrawsOption = 1_000,
    seed: SeedOption = 0,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
) -> None:
    """Code evidence spans with any number of models, and score them."""
    from rich.console import Console

    from cclearn.display import difference_table, score_table
    from cclearn.progress import quiet_libraries
    from cclearn.scoring import score_spans

    if any(each != "lexicon" for each in model):
        quiet_libraries()
    loaded = _load(system, release, earlier)
    found = score_spans(pairs, model, loaded, out, train, limit, draws, seed, batch_size)
    Console().print(score_table(found.evaluations, "spans"))
    if found.differences:
        Console().print(difference_table(found.differences))


@app.command()
def benchmark(
    name: Annotated[str | None, typer.Argument(help="The benchmark.")] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(help="Its options: key=value, values as in YAML.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder that holds its data.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="lexicon, or a model's folder; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    shots: Annotated[int, typer.Option(min=0, help="Training notes shown to each model.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Code only so many notes.")] = None,
    prices: Annotated[Path | None, typer.Option(help="A table of prices (YAML).")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Notes decoded together.")] = 32,
    draws: DrawsOption = 1_000,
    seed: SeedOption = 0,
    listing: Annotated[bool, typer.Option("--list", help="List the benchmarks.")] = False,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Code a published corpus with any number of models, and score them."""
    from rich.console import Console

    from cclearn.evaluation.corpora import corpus_names, find_corpus, options_of

    if listing:
        for known in corpus_names():
            corpus = find_corpus(known)
            typer.echo(f"{known}: {corpus.summary}")
            _list_settings(corpus.options_type)
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
    from cclearn.benchmark import Run, run_benchmark
    from cclearn.display import score_table
    from cclearn.files import refuse_existing
    from cclearn.progress import quiet_libraries, track

    corpus = find_corpus(name)
    options = options_of(corpus, _settings(settings or []))
    refuse_existing(out, overwrite)
    if any(each != "lexicon" for each in model):
        quiet_libraries()
    run = Run(tuple(model), shots, limit, draws, seed, prices, batch_size)
    loaded = _load(system, release, earlier)
    comparison = run_benchmark(corpus, data, options, loaded, run, out, overwrite, track)
    Console().print(score_table(comparison.evaluations))
    _warn(comparison)
    typer.echo(f"Report: {out / 'report.html'}", err=True)


def _list_settings(settings: type[BaseModel]) -> None:
    for key, field in settings.model_fields.items():
        default = "required" if field.is_required() else repr(field.default)
        typer.echo(f"    {key} = {default}")


def _load(name: str, release: Path | None, earlier: list[Path] | None) -> CodeSystem:
    from cclearn.codes import CodeSystem

    return CodeSystem.load(name, release, earlier or ())


def _warn(comparison: Comparison) -> None:
    for name, evaluation in comparison.evaluations.items():
        for warning in evaluation.warnings:
            typer.echo(f"{name}: {warning}.", err=True)


@codes_app.command("show")
def show_code(
    code: Annotated[str, typer.Argument(help="A code in any spelling, a block or a chapter.")],
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
) -> None:
    """Show a code: its status, title, synonyms and neighbours."""
    from rich.console import Console

    from cclearn.codes import CodeSystem
    from cclearn.display import code_view

    Console().print(code_view(CodeSystem.load(system, release, earlier or ()), code))


@codes_app.command("search")
def search_codes(
    text: Annotated[str, typer.Argument(help="Words to look for.")],
    limit: Annotated[int, typer.Option(min=1, help="How many codes at the most.")] = 10,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
) -> None:
    """Search titles and synonyms."""
    from rich.console import Console

    from cclearn.codes import CodeSystem
    from cclearn.codes.search import search
    from cclearn.display import hits_table

    loaded = CodeSystem.load(system, release)
    Console().print(hits_table(search(loaded, text, limit), loaded))


if __name__ == "__main__":
    main()
