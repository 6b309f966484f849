"""Options and helpers that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cclearn.errors import ConfigurationError, DataError, did_you_mean, shown_id

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cclearn.codes import CodeSystem
    from cclearn.coding.guidelines.uncertain import Encounter
    from cclearn.coding.settings import CoderSettings
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.engines.settings import EngineSettings

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
MODEL_HELP = "lexicon, a trained model's folder, vllm:FOLDER, openai:NAME or replay:FILE"
"""The help of every `--model`, without its full stop."""

ModelOption = Annotated[str, typer.Option(help=f"{MODEL_HELP}.")]
PairsOption = Annotated[
    Path | None,
    typer.Option(help="Span pairs of a builder, whose phrases the lexicon is to know too."),
]
EngineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        help="A setting of the model's engine, key=value, e.g. base_url=http://localhost:8000/v1,"
        " batch_size=8; repeatable.",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="codiesp-d, codiesp-x, fhir, html, jsonl, mdace or tsv; else by the ending of --out.",
    ),
]
ModeOption = Annotated[
    str,
    typer.Option(
        help="single_pass: the whole note at once; span_loop: its segments, then each span."
    ),
]
LoopOption = Annotated[
    list[str] | None,
    typer.Option(
        "--loop",
        help="A setting of span_loop, key=value, e.g. recogniser=lexicon, segments=sentence;"
        " repeatable.",
    ),
]
CalibrationOption = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        help="What `cclearn calibrate` wrote, or off; else what the model's folder holds.",
    ),
]
EncounterOption = Annotated[
    Literal["inpatient", "outpatient"] | None,
    typer.Option(
        "--encounter", help="The setting: an outpatient's uncertain diagnoses give no code."
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Spread the work with Ray Data: local, auto (the cluster that runs on this machine), or"
        " HOST:PORT of its head.",
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def load_system(name: str, release: Path | None, earlier: list[Path] | None) -> CodeSystem:
    """Load the code system that the options name."""
    from cclearn.codes import CodeSystem

    return CodeSystem.load(name, release, earlier or ())


def read_settings(items: list[str]) -> dict[str, Any]:
    """Read `key=value` arguments. Raises ConfigurationError."""
    from cclearn.runtime.yaml_files import parse_yaml

    found: dict[str, Any] = {}
    problems = []
    for item in items:
        key, equals, value = item.partition("=")
        try:
            # Every scalar stays text until its setting says what it is: 250.10 is a code, 010 too.
            read, _ = parse_yaml(value, key, scalars=False)
            found[key] = None if read in ("null", "~") else read
        except DataError:
            problems.append(f"setting ({shown_id(item)}): the value is not YAML. Quote it.")
        if not equals:
            problems.append(f"setting ({shown_id(item)}): it is not of the form key=value.")
    if problems:
        raise ConfigurationError(problems)
    return found


def engine_settings(items: list[str] | None) -> EngineSettings:
    """Read the settings of engines. Raises ConfigurationError."""
    from cclearn.engines.settings import EngineSettings
    from cclearn.registry import checked_settings

    return checked_settings(EngineSettings, read_settings(items or []), "--engine")


def loop_settings(mode: str, items: list[str] | None) -> LoopSettings | None:
    """Read the settings of `span_loop`, None for `single_pass`. Raises ConfigurationError."""
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.registry import checked_settings

    modes = ("single_pass", "span_loop")
    problems = []
    if mode not in modes:
        problems.append(
            f"mode (mode = {mode}): there is no such mode.{did_you_mean(mode, modes)} Use"
            f" {' or '.join(modes)}."
        )
    elif items and mode == "single_pass":
        problems.append("loop: single_pass has no such settings. Use --mode span_loop.")
    if problems:
        raise ConfigurationError(problems)
    if mode == "single_pass":
        return None
    return checked_settings(LoopSettings, read_settings(items or []), "--loop")


def coder_settings(
    model: str,
    engine: list[str] | None,
    mode: str,
    loop: list[str] | None,
    calibration: str | None,
    encounter: Encounter | None,
    pairs: Path | None,
    system: str,
    release: Path | None,
) -> CoderSettings:
    """Return the coder that the options describe. Raises ConfigurationError."""
    from cclearn.coding.settings import CoderSettings

    settings = CoderSettings(
        model=model,
        system=system,
        release=release,
        engine=engine_settings(engine),
        loop=loop_settings(mode, loop),
        calibration=calibration,
        encounter=encounter,
        pairs=pairs,
    )
    settings.check()
    return settings


def list_settings(settings: type[BaseModel]) -> None:
    """Print a line for each setting, with its default."""
    for key, field in settings.model_fields.items():
        default = "required" if field.is_required() else repr(field.default)
        typer.echo(f"    {key} = {default}")
