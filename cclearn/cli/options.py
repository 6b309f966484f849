"""Options that several commands share.

`with_options` gives a command all options of a provider: a function, or a data class, whose parameters
are annotated as Typer expects them. Annotations in this module are therefore evaluated, not strings.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, get_type_hints

import typer

from cclearn.cli.settings import engine_settings, label_settings, loop_settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cclearn.codes import CodeSystem
    from cclearn.coding.labels.settings import LabelSettings
    from cclearn.coding.settings import CoderSettings
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.engines.settings import EngineSettings

MODEL_NAMES = (
    "lexicon, the folder of a trained model, OWNER/NAME on the hub, FILE.gguf, vllm:FOLDER, openai:NAME"
    " or replay:FILE"
)

SystemOption = Annotated[
    str,
    typer.Option(
        "--system",
        help="Code system: icd10cm, icd9cm, or a .csv table of your own.",
        rich_help_panel="Code system",
    ),
]
ReleaseOption = Annotated[
    Path | None,
    typer.Option(
        "--release",
        help="Official file of another release: an order file, a tabular list, or a folder with both.",
        rich_help_panel="Code system",
    ),
]
EarlierOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--earlier",
        help="File of an earlier release, with which retired codes are recognised; repeatable.",
        rich_help_panel="Code system",
    ),
]
ModelOption = Annotated[str, typer.Option(help=f"Model: {MODEL_NAMES}.", rich_help_panel="Model")]
ModelsOption = Annotated[
    list[str],
    typer.Option("--model", help=f"Model: {MODEL_NAMES}; repeatable.", rich_help_panel="Model"),
]
PairsOption = Annotated[
    Path | None,
    typer.Option(
        help="Span pairs whose strings are added to the lexicon and to candidates.",
        rich_help_panel="Model",
    ),
]
EngineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        help="Setting of the model's engine, key=value, e.g. base_url=http://localhost:8000/v1 or"
        " batch_size=8; repeatable.",
        rich_help_panel="Model",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Output format: brat, codiesp-d, codiesp-x, csv, doccano, fhir, html, inception, jsonl,"
        " label-studio, mdace, omop, tsv or xlsx. Default: by the suffix of --out.",
        rich_help_panel="Output",
    ),
]
ModeOption = Annotated[
    str,
    typer.Option(
        help="single_pass codes the whole note at once; span_loop finds spans and codes each of them.",
        rich_help_panel="Model",
    ),
]
LoopOption = Annotated[
    list[str] | None,
    typer.Option(
        "--loop",
        help="Setting of span_loop, key=value, e.g. recogniser=lexicon or segments=sentence;"
        " repeatable.",
        rich_help_panel="Model",
    ),
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        help="Setting of a model that scores labels, key=value, e.g. evidence=attention or top=20;"
        " repeatable.",
        rich_help_panel="Model",
    ),
]
CalibrationOption = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        help="File written by `cclearn calibrate`, or off. Default: the file in the model's folder.",
        rich_help_panel="Model",
    ),
]
EncounterOption = Annotated[
    Literal["inpatient", "outpatient"] | None,
    typer.Option(
        "--encounter",
        help="Setting of the notes. Uncertain diagnoses of outpatients are not coded.",
        rich_help_panel="Model",
    ),
]
AssertionOption = Annotated[
    Literal["english", "off"],
    typer.Option(
        "--assertion",
        help="Rules by which negated mentions give no code; off for notes in another language.",
        rich_help_panel="Model",
    ),
]
TextColumnOption = Annotated[
    str | None,
    typer.Option(
        "--text-column",
        help="Column or field with the text of a note. Default: text.",
        rich_help_panel="Notes",
    ),
]
IdColumnOption = Annotated[
    str | None,
    typer.Option(
        "--id-column",
        help="Column or field with the id of a note. Default: id, or the line number in a table without"
        " it.",
        rich_help_panel="Notes",
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Spread the work with Ray Data: local, auto (the cluster running on this machine), or"
        " HOST:PORT of the head of a cluster.",
        rich_help_panel="Several processes",
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing output.", rich_help_panel="Output")
]
ResultOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder for metrics.json, scores.csv, codes.csv, scores.xlsx and the report.",
        rich_help_panel="Output",
    ),
]
JSONOption = Annotated[
    bool,
    typer.Option("--json", help="Print JSON instead of tables.", rich_help_panel="Output"),
]
TrainOption = Annotated[
    Path | None,
    typer.Option(
        help="Coded notes of the training, for scores by training frequency.",
        rich_help_panel="Scores",
    ),
]
DrawsOption = Annotated[
    int,
    typer.Option(
        min=0, help="Number of bootstrap draws; 0 for no intervals.", rich_help_panel="Scores"
    ),
]
SeedOption = Annotated[
    int, typer.Option(min=0, help="Seed of the bootstrap.", rich_help_panel="Scores")
]

EditionMapOption = Annotated[
    str | None,
    typer.Option(
        "--edition-map",
        metavar="FILE",
        help="Table of the changes since the edition of the gold, for scores in that edition: the CDC's"
        " conversion table, a table with the columns old and new, or packaged.",
        rich_help_panel="Scores",
    ),
]


def with_options(**providers: Callable[..., Any]) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that replaces parameters of a command by the options of a provider.

    Args:
        providers: Provider by the name of the parameter. The command receives a function without
            arguments, which calls the provider with the values of its options.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        hints = get_type_hints(command, include_extras=True)
        for name, parameter in inspect.signature(command).parameters.items():
            if name in providers:
                parameters += inspect.signature(providers[name]).parameters.values()
            else:
                parameters.append(parameter.replace(annotation=hints[name]))

        @wraps(command)
        def run(**values: Any) -> None:
            for name, provider in providers.items():
                options = inspect.signature(provider).parameters
                values[name] = partial(
                    provider, **{option: values.pop(option) for option in options}
                )
            command(**values)

        keyword_only = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters
        ]
        run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def load_system(name: str, release: Path | None, earlier: list[Path] | None) -> "CodeSystem":
    """Load the code system that the options name."""
    from cclearn.codes import CodeSystem

    return CodeSystem.load(name, release, earlier or ())


def coder_settings(
    model: ModelOption = "lexicon",
    engine: EngineOption = None,
    mode: ModeOption = "single_pass",
    loop: LoopOption = None,
    calibration: CalibrationOption = None,
    encounter: EncounterOption = None,
    assertion: AssertionOption = "english",
    pairs: PairsOption = None,
    labels: LabelsOption = None,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
) -> "CoderSettings":
    """Return the settings of a coder; the parameters are the options that describe it.

    Raises:
        ConfigurationError: An option is invalid, or options contradict each other.
    """
    from cclearn.coding.settings import CoderSettings

    settings = CoderSettings(
        model=model,
        system=system,
        release=release,
        engine=engine_settings(engine),
        loop=loop_settings(mode, loop),
        calibration=calibration,
        encounter=encounter,
        assertion=assertion,
        pairs=pairs,
        labels=label_settings(labels),
    )
    settings.check()
    return settings


@dataclass(frozen=True)
class SystemOptions:
    """Options that name a code system."""

    system: SystemOption = "icd10cm"
    release: ReleaseOption = None
    earlier: EarlierOption = None

    def load(self) -> "CodeSystem":
        """Load the code system."""
        return load_system(self.system, self.release, self.earlier)


@dataclass(frozen=True)
class FileOptions:
    """Options of commands that score files of predictions."""

    gold: Annotated[
        Path,
        typer.Option(
            help="Coded notes with the gold codes: a file, or a folder of `cclearn code`."
        ),
    ]
    pred: Annotated[
        list[Path],
        typer.Option(
            help="Coded notes of one system: a file, or a folder of `cclearn code`; repeatable."
        ),
    ]
    out: ResultOption = None
    train: TrainOption = None
    edition_map: EditionMapOption = None
    draws: DrawsOption = 1_000
    seed: SeedOption = 0
    overwrite: OverwriteOption = False
    as_json: JSONOption = False


@dataclass(frozen=True)
class ModelRunOptions:
    """Options of commands that run any number of models."""

    engine: EngineOption = None
    mode: ModeOption = "single_pass"
    loop: LoopOption = None
    labels: LabelsOption = None
    draws: DrawsOption = 1_000
    seed: SeedOption = 0

    @property
    def engine_settings(self) -> "EngineSettings":
        """Settings of the models' engines."""
        return engine_settings(self.engine)

    @property
    def loop_settings(self) -> "LoopSettings | None":
        """Settings of `span_loop`; None for `single_pass`."""
        return loop_settings(self.mode, self.loop)

    @property
    def label_settings(self) -> "LabelSettings | None":
        """Settings of models that score labels; None if there are none."""
        return label_settings(self.labels)


class CoderOptions(Protocol):
    """Function that a command with `with_options(coder=coder_settings)` receives."""

    def __call__(self) -> "CoderSettings":
        """Return the settings of the coder."""


def print_settings(settings: "type[BaseModel]") -> None:
    """Print a line for each setting, with its default."""
    for key, field in settings.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if hasattr(value, "model_dump"):  # Settings of their own, of which none is set.
            value = {}
        typer.echo(f"    {key} = {'required' if field.is_required() else repr(value)}")


def print_json(value: Any) -> None:
    """Print a value as JSON, with indents."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
