"""The commands of the review: the page, the training rows and the statistics."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cclearn.cli.options import (
    CoderOptions,
    IdColumnOption,
    JSONOption,
    OverwriteOption,
    ReleaseOption,
    TextColumnOption,
    coder_settings,
    print_json,
    with_options,
)
from cclearn.cli.program import App
from cclearn.errors import ConfigurationError
from cclearn.runtime.debugging import is_debugging, log_to_standard_error
from cclearn.runtime.display import print_message

if TYPE_CHECKING:
    from cclearn.cli.tables import View
    from cclearn.coding import Coder

review_app = App(
    "Review codes in the browser: `cclearn review NOTES --out FOLDER`. Its options are those of"
    " `cclearn review start --help`.",
    has_default=True,
)


@with_options(coder=coder_settings)
def start_review(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="Notes to review: coded notes (.jsonl), a folder of `cclearn code`, or notes without"
            " codes in any form that `cclearn code` reads, which --model codes when they are opened."
        ),
    ],
    coder: CoderOptions,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the review, which receives the decisions.", rich_help_panel="Review"
        ),
    ],
    reviewer: Annotated[
        str | None,
        typer.Option(
            help="Name of the reviewer. Default: the user of this process.",
            rich_help_panel="Review",
        ),
    ] = None,
    order: Annotated[
        Literal["random", "uncertain", "new_codes", "value"],
        typer.Option(
            help="Order of the notes: random; least certain scores first; most codes that no reviewed"
            " note has first; or value, which is new codes and uncertainty per predicted minute.",
            rich_help_panel="Review",
        ),
    ] = "random",
    adjudicate: Annotated[
        bool,
        typer.Option(
            "--adjudicate",
            help="Review only the codes on which other reviewers disagree.",
            rich_help_panel="Review",
        ),
    ] = False,
    without_proposals: Annotated[
        float | None,
        typer.Option(
            "--without-proposals",
            min=0,
            max=1,
            help="Share of the notes that are shown without proposals. Default: 0.1.",
            rich_help_panel="Review",
        ),
    ] = None,
    kept_apart: Annotated[
        float | None,
        typer.Option(
            "--kept-apart",
            min=0,
            max=1,
            help="Share of the notes that are kept apart for honest scores. Default: 0.15.",
            rich_help_panel="Review",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of the random choices. Default: 0.", rich_help_panel="Review"
        ),
    ] = None,
    text_column: TextColumnOption = None,
    id_column: IdColumnOption = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Any but loopback requires CCLEARN_API_KEY."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free port.")] = 8001,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Accepted name of the server, NAME or NAME:PORT; repeatable."),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(help="Lowest level of the messages that are logged."),
    ] = "warning",
) -> None:
    """Start the page on which a reviewer decides on the codes of notes.

    Each decision is on the disk before the page confirms it. The same command continues the review. If
    CCLEARN_API_KEY is set, the page asks for this key.
    """
    from cclearn.coding import CoderSettings
    from cclearn.coding.load import load_coder_quietly
    from cclearn.coding.model_record import model_record
    from cclearn.notes.columns import NoteColumns
    from cclearn.registry import checked_settings
    from cclearn.review.folder import ReviewFolder
    from cclearn.runtime.audit import audited, user_name

    try:
        from cclearn.review.run import make_adjudication, make_session, serve_review
        from cclearn.service.limits import KEY_VARIABLE, ServiceSettings
    except ImportError:
        raise ConfigurationError(
            ["review: FastAPI or uvicorn is missing. Install cclearn[serve]."]
        ) from None
    settings = coder()
    service = checked_settings(
        ServiceSettings,
        {
            "host": host,
            "port": port,
            "key": os.environ.get(KEY_VARIABLE) or None,
            "allow_host": tuple(allow_host or ()),
        },
        "review",
    )
    name = reviewer if reviewer is not None else user_name() or ""
    given: dict[str, Any] = {
        "without_proposals": without_proposals,
        "kept_apart": kept_apart,
        "seed": seed,
        "system": settings.system if settings.system != CoderSettings().system else None,
        "release": None if settings.release is None else str(settings.release.resolve()),
    }
    log_to_standard_error("debug" if is_debugging() else log_level, "uvicorn")
    given = {key: value for key, value in given.items() if value is not None}
    folder = ReviewFolder.start(out, given, source, NoteColumns(text_column, id_column))
    remembered = folder.settings
    settings = replace(
        settings,
        system=remembered.system,
        release=Path(remembered.release) if remembered.release else None,
    )
    system = settings.load_system()

    def load() -> tuple[Coder, str]:
        loaded = load_coder_quietly(settings, system)
        return loaded, model_record(settings.model, loaded.model_sha256)[1]

    with audited("review") as audit:
        audit.begin([model_record(settings.model, engine=settings.engine)], system)
        if adjudicate:
            session, label = make_adjudication(ReviewFolder.open(out), name, system)
        else:
            session, label = make_session(folder, name, system, order, load)
        serve_review(session, service, label)


def export_review(
    folder: Annotated[Path, typer.Argument(help="Folder of the review.")],
    out: Annotated[Path, typer.Option(help="Folder to write.", rich_help_panel="Output")],
    reviewer: Annotated[
        str | None, typer.Option(help="Only reviewer whose decisions count. Default: all.")
    ] = None,
    release: ReleaseOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write reviewed notes for training, evaluation, calibration and prompts.

    A recipe reads the folder: `rows.sources: [{kind: document, path: FOLDER}, {kind: span, path:
    FOLDER}]`.
    """
    from cclearn.codes import CodeSystem
    from cclearn.review.export import export
    from cclearn.review.folder import ReviewFolder
    from cclearn.runtime.files import refuse_existing

    opened = ReviewFolder.open(folder)
    refuse_existing(out, overwrite)
    remembered = opened.settings.release
    system = CodeSystem.load(
        opened.settings.system, release or (Path(remembered) if remembered else None)
    )
    for name, count in export(opened, system, out, overwrite, reviewer).items():
        is_file = name.endswith(".jsonl")
        print_message(
            f"{out / name}: {count:,} rows" if is_file else f"left out, {name}: {count:,}"
        )


def show_stats(
    folder: Annotated[Path, typer.Argument(help="Folder of the review.")],
    as_json: JSONOption = False,
) -> None:
    """Show time, decisions, the quality of the proposals, and the agreement of reviewers."""
    from cclearn.review.folder import ReviewFolder
    from cclearn.review.stats import review_stats

    stats = review_stats(ReviewFolder.open(folder))
    if as_json:
        print_json(stats)
    else:
        from cclearn.cli.tables import print_view

        print_view(_stats_view(stats))


def _stats_view(stats: dict[str, Any]) -> View:
    from rich.table import Table
    from rich.text import Text

    from cclearn.errors import visible

    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    view: list[Text | Table] = []
    for row in stats["reviewers"]:
        digest = f" ({row['model_sha256'][:12]})" if row["model_sha256"] else ""
        view.append(
            Text(f"{visible(row['reviewer'])}: proposals of {visible(row['model'])}{digest}")
        )
        table = Table(
            *(
                "notes",
                "done",
                "min/note",
                "accepted",
                "changed",
                "rejected",
                "unclear",
                "added",
                "P",
                "R",
                "F1",
            ),
            box=None,
            pad_edge=False,
        )
        for column in table.columns[1:]:
            column.justify = "right"
        for name, group in (
            ("with proposals", row["shown"]),
            ("without", row["not_shown"]),
            ("kept apart", row["kept_apart"]),
        ):
            decisions = group["decisions"]
            accepted = shown(group["accepted_share"])
            table.add_row(
                name,
                f"{group['notes']:,}",
                shown(group["median_minutes"]),
                accepted,
                str(decisions["change"]),
                str(decisions["reject"]),
                str(decisions["insufficient"] + decisions["defer"]),
                str(group["added"]),
                shown(group["precision"]),
                shown(group["recall"]),
                shown(group["f1"]),
            )
        view.append(table)
    if stats["adjudicated"]:
        view.append(Text(f"Adjudicated notes: {stats['adjudicated']:,}"))
    for pair in stats["agreement"]:
        names = " and ".join(map(visible, pair["reviewers"]))
        view.append(
            Text(
                f"{names}, {pair['notes']:,} notes: code F1 {shown(pair['code_f1'])}, span F1"
                f" {shown(pair['span_f1'])}, Cohen's kappa {shown(pair['kappa'])}"
                f" ({pair['decisions']:,} decisions)"
            )
        )
    return view or [Text("No note was opened yet.")]


review_app.add(
    "start",
    start_review,
    "cclearn review coded.jsonl --out reviewed",
    "cclearn review notes.csv --text-column note --out reviewed --model runs/mine",
    "cclearn review coded/ --out reviewed --reviewer anna --order value",
    "cclearn review coded/ --out reviewed --reviewer carla --adjudicate",
)
review_app.add(
    "export",
    export_review,
    "cclearn review export reviewed --out rows",
    "cclearn review export reviewed --out rows --reviewer anna",
)
review_app.add("stats", show_stats, "cclearn review stats reviewed")
