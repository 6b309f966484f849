"""The command that serves coders over HTTP."""

from __future__ import annotations

import os
from functools import partial
from typing import Annotated, Literal

import typer

from cclearn.cli.options import CoderOptions, coder_settings, with_options
from cclearn.cli.settings import read_settings
from cclearn.errors import ConfigurationError
from cclearn.runtime.debugging import is_debugging, log_to_standard_error


@with_options(coder=coder_settings)
def serve_command(
    coder: CoderOptions,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Any but loopback requires CCLEARN_API_KEY."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free port.")] = 8000,
    workers: Annotated[
        int, typer.Option(help="Number of processes that code, each with its own coder in memory.")
    ] = 1,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Limit, key=value: max_body, max_held (MiB), max_head (KiB), max_notes,"
            " max_waiting, max_batch, max_connections, time_limit, head_time, batch_wait (seconds),"
            " e.g. time_limit=30; repeatable.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Accepted name of the service, NAME or NAME:PORT, in addition to localhost and the"
            " address that it listens on; repeatable."
        ),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(help="Lowest level of the messages that are logged."),
    ] = "info",
) -> None:
    """Serve a coder over HTTP.

    `POST /code` accepts a note, an array of notes, or JSON lines, and returns coded notes. `GET /` is a
    page on which a note can be coded, and `GET /docs` documents all endpoints. The others are
    `GET /codes?q=WORDS`, `/codes/CODE`, `/healthz`, `/metrics` and `/openapi.json`. If CCLEARN_API_KEY
    is set, requests for codes must contain this key.
    """
    from cclearn.coding.load import load_coder_quietly
    from cclearn.coding.model_record import model_record
    from cclearn.registry import checked_settings
    from cclearn.runtime.audit import audited
    from cclearn.service.limits import KEY_VARIABLE, Limits, ServiceSettings

    problems: list[str] = []
    limits = Limits()
    try:
        settings = coder()
    except ConfigurationError as error:
        problems += error.problems
    try:
        limits = checked_settings(Limits, read_settings(limit or []), "--limit")
    except ConfigurationError as error:
        problems += error.problems
    try:
        options = {
            "host": host,
            "port": port,
            "workers": workers,
            "key": os.environ.get(KEY_VARIABLE) or None,
            "limits": limits,
            "allow_host": tuple(allow_host or ()),
        }
        service = checked_settings(ServiceSettings, options, "serve")
    except ConfigurationError as error:
        problems += error.problems
    try:
        from cclearn.service.server import serve
    except ImportError:
        problems.append("serve: FastAPI or uvicorn is missing. Install cclearn[serve].")
    if problems:
        raise ConfigurationError(problems)
    log_to_standard_error("debug" if is_debugging() else log_level, "uvicorn")
    system = settings.load_system()
    with audited("serve") as audit:
        audit.begin([model_record(settings.model, engine=settings.engine)], system)
        load = partial(load_coder_quietly, settings)
        finished = serve(load, system, service, ahead=settings.is_lexicon)
    if not finished:
        raise typer.Exit(1)
