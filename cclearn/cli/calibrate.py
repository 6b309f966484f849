"""The command that calibrates scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cclearn.cli.options import (
    AssertionOption,
    EngineOption,
    LabelsOption,
    LoopOption,
    ModelOption,
    ModeOption,
    OverwriteOption,
    PairsOption,
    ReleaseOption,
    SystemOption,
    load_system,
)
from cclearn.cli.settings import engine_settings, label_settings, loop_settings
from cclearn.errors import ConfigurationError
from cclearn.runtime.display import print_message


def calibrate_command(
    model: ModelOption,
    data: Annotated[
        Path, typer.Option(help="Coded notes on which the model was not trained (JSONL).")
    ],
    method: Annotated[
        Literal["platt", "isotonic"],
        typer.Option(help="Method: platt, or isotonic, which uses the score alone."),
    ] = "platt",
    precision: Annotated[
        float, typer.Option(help="Required share of correct codes among the accepted codes.")
    ] = 0.9,
    rejected_right: Annotated[
        float, typer.Option(help="Maximum share of correct codes among the rejected codes.")
    ] = 0.1,
    best_f1: Annotated[
        bool,
        typer.Option(
            "--best-f1",
            help="Reject the codes without which the micro F1 is highest, in place of --rejected-right.",
        ),
    ] = False,
    engine: EngineOption = None,
    mode: ModeOption = "single_pass",
    loop: LoopOption = None,
    pairs: PairsOption = None,
    labels: LabelsOption = None,
    assertion: AssertionOption = "english",
    out: Annotated[
        Path | None, typer.Option(help="File to write. Default: a file in the model's folder.")
    ] = None,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Learn probabilities for scores from coded notes, and thresholds to accept, review and reject."""
    from cclearn.cli.tables import calibration_view, print_view
    from cclearn.coding import CoderSettings, load_coder
    from cclearn.coding.model_record import model_record
    from cclearn.engines.registry import is_lexicon
    from cclearn.runtime.audit import audited
    from cclearn.runtime.files import list_file, refuse_existing, write_json
    from cclearn.runtime.progress import quiet_libraries, track
    from cclearn.weights import CALIBRATION
    from cclearn.workflows.calibrate import calibrate

    if out is None:
        if not Path(model).is_dir():
            raise ConfigurationError(
                [f"calibrate (model = {model}): it has no folder to write to. Name --out."]
            )
        out = Path(model) / CALIBRATION
    refuse_existing(out, overwrite)
    settings, loop_options = engine_settings(engine), loop_settings(mode, loop)
    if not is_lexicon(model) or loop_options is not None:
        quiet_libraries()
    loaded = load_system(system, release, None)
    with audited("calibrate") as audit:
        coder_settings = CoderSettings(
            model,
            engine=settings,
            loop=loop_options,
            calibration="off",
            pairs=pairs,
            assertion=assertion,
            labels=label_settings(labels),
        )
        coder = load_coder(coder_settings, loaded)
        audit.begin([model_record(model, coder.model_sha256)], loaded)
        calibration = calibrate(
            coder,
            data,
            method,
            precision,
            None if best_f1 else rejected_right,
            lambda notes: track(audit.read(notes), f"coding with {coder.name}"),
        )
    list_file(out)  # Before the file: a folder with a listed file that is missing may be replaced.
    write_json(out, calibration.model_dump(mode="json"), overwrite)
    print_view(calibration_view(calibration))
    for remark in calibration.remarks:
        print_message(f"{remark}.")
    print_message(f"Calibration: {out}")
