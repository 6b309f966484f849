"""The command that serves coders over HTTP."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Annotated, Literal

import typer

from cclearn.cli.options import (
    CalibrationOption,
    EncounterOption,
    EngineOption,
    LoopOption,
    ModelOption,
    ModeOption,
    PairsOption,
    ReleaseOption,
    SystemOption,
    coder_settings,
    read_settings,
)
from cclearn.errors import ConfigurationError


def serve(
    model: ModelOption = "lexicon",
    host: Annotated[
        str, typer.Option(help="The address; any but loopback needs CCLEARN_API_KEY.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any free one.")] = 8000,
    workers: Annotated[
        int, typer.Option(help="Processes that code, each with a coder of its own in memory.")
    ] = 1,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="A limit, key=value: max_body, max_held (MiB), max_head (KiB), max_notes,"
            " max_waiting, max_batch, max_connections, time_limit, head_time, batch_wait (seconds),"
            " e.g. time_limit=30; repeatable.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that the service is called by, NAME or NAME:PORT, besides localhost and the"
            " address that it listens on; repeatable."
        ),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="What is logged.")
    ] = "info",
    engine: EngineOption = None,
    mode: ModeOption = "single_pass",
    loop: LoopOption = None,
    calibration: CalibrationOption = None,
    encounter: EncounterOption = None,
    pairs: PairsOption = None,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
) -> None:
    """Serve over HTTP: notes in, coded notes out.

    `POST /code` takes a note, an array of notes, or lines. `GET /codes/CODE`, `/healthz`, `/metrics` and
    `/openapi.json` are there too. A key in CCLEARN_API_KEY is then asked for.
    """
    from cclearn.coding.load import load_coder_quietly
    from cclearn.coding.model_record import model_record
    from cclearn.registry import checked_settings
    from cclearn.runtime.audit import audited
    from cclearn.service.limits import KEY_VARIABLE, Limits, ServiceSettings

    problems: list[str] = []
    limits = Limits()
    try:
        coder = coder_settings(
            model, engine, mode, loop, calibration, encounter, pairs, system, release
        )
    except ConfigurationError as error:
        problems += error.problems
    try:
        limits = checked_settings(Limits, read_settings(limit or []), "--limit")
    except ConfigurationError as error:
        problems += error.problems
    try:
        asked = {
            "host": host,
            "port": port,
            "workers": workers,
            "key": os.environ.get(KEY_VARIABLE) or None,
            "limits": limits,
            "allow_host": tuple(allow_host or ()),
        }
        settings = checked_settings(ServiceSettings, asked, "serve")
    except ConfigurationError as error:
        problems += error.problems
    try:
        from cclearn.service.server import serve as serve_until_stopped
    except ImportError:
        problems.append("serve: FastAPI or uvicorn is missing. Install cclearn[serve].")
    if problems:
        raise ConfigurationError(problems)
    _log_to_standard_error(log_level)
    loaded = coder.load_system()
    with audited("serve") as audit:
        audit.begin([model_record(model, engine=coder.engine)], loaded)
        load = partial(load_coder_quietly, coder)
        finished = serve_until_stopped(load, loaded, settings, ahead=coder.is_lexicon)
    if not finished:
        raise typer.Exit(1)


def _log_to_standard_error(level: str) -> None:
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING
    )
    for ours in ("cclearn", "uvicorn"):
        logging.getLogger(ours).setLevel(level.upper())
