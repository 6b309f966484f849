"""The command that audits synthetic notes, and that plants canaries in training notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli.options import (
    JSONOption,
    OverwriteOption,
    SystemOptions,
    print_json,
    print_settings,
    with_options,
)
from cclearn.cli.program import App
from cclearn.cli.settings import read_settings
from cclearn.errors import ConfigurationError
from cclearn.runtime.display import counted, print_message

if TYPE_CHECKING:
    from cclearn.audit.run import AuditInputs, AuditReport
    from cclearn.audit.settings import AuditSettings
    from cclearn.cli.tables import View
    from cclearn.codes import CodeSystem


def add_audit_command(app: App) -> None:
    """Add the command to the program."""
    app.add(
        "audit",
        audit_command,
        "cclearn audit notes --against real.jsonl --out report",
        "cclearn audit notes --against real.jsonl passage=30 most_near_duplicates=5",
        "cclearn audit real.jsonl --plant 20 --secrets canaries.json --out planted",
        "cclearn audit notes --canaries canaries.json --model runs/generator",
        "cclearn audit --list",
    )


@with_options(system=SystemOptions)
def audit_command(
    notes: Annotated[
        Path | None,
        typer.Argument(help="Notes to audit: a builder's folder, or a file of coded notes."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="Settings of the audit: key=value, with values as in YAML."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Notes that must not be repeated, in the same forms.")
    ] = None,
    members: Annotated[
        Path | None, typer.Option(help="Training notes of the generator, for membership inference.")
    ] = None,
    non_members: Annotated[
        Path | None,
        typer.Option(
            "--non-members", help="Notes of the same origin that the generator was not trained on."
        ),
    ] = None,
    canaries: Annotated[
        Path | None, typer.Option(help="File of canaries that --plant wrote as --secrets.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model trained on the notes with canaries, whose exposure is measured."),
    ] = None,
    pii: Annotated[
        bool,
        typer.Option("--pii", help="Recognise identifiers by the patterns of Presidio, too."),
    ] = False,
    plant: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of canaries to plant in a copy of the notes, in place of an audit.",
            rich_help_panel="Canaries",
        ),
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(
            min=1, help="Number of notes that get each canary.", rich_help_panel="Canaries"
        ),
    ] = 1,
    secrets: Annotated[
        Path | None,
        typer.Option(
            help="File to write with the planted canaries. Keep it away from the training.",
            rich_help_panel="Canaries",
        ),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the settings.")] = False,
    *,
    system: Callable[[], SystemOptions],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for audit.json and audit.md, or for the notes with canaries.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JSONOption = False,
) -> None:
    """Audit synthetic notes: what they repeat of real ones, their labels, and their diversity.

    The exit code is 0 if all checks pass, 1 if one fails, and 2 after an error.
    """
    from cclearn.audit.run import AuditInputs
    from cclearn.audit.settings import AuditSettings
    from cclearn.registry import checked_settings

    if listing:
        print_settings(AuditSettings)
        return
    if notes is None:
        raise ConfigurationError(["audit: a folder or a file of notes is needed. Name it."])
    chosen = checked_settings(AuditSettings, read_settings(settings or []), "audit")
    if plant is not None or secrets is not None:
        if plant is None or secrets is None or out is None:
            given = {"--plant": plant, "--secrets": secrets, "--out": out}
            missing = " and ".join(name for name, value in given.items() if value is None)
            raise ConfigurationError(
                [f"audit (plant): canaries also need {missing}. Add the option."]
            )
        _plant(notes, plant, repeats, secrets, out, overwrite, chosen.seed, system().load())
        return
    inputs = AuditInputs(notes, against, members, non_members, canaries, model)
    report = _audit(inputs, chosen, system().load(), pii, out, overwrite)
    if as_json:
        from cclearn.audit.report import report_json

        print_json(report_json(report))
    else:
        from cclearn.cli.tables import print_view

        print_view(audit_view(report))
    if not report.passed:
        raise typer.Exit(1)


def _audit(
    inputs: AuditInputs,
    settings: AuditSettings,
    system: CodeSystem,
    pii: bool,
    out: Path | None,
    overwrite: bool,
) -> AuditReport:
    """Run an audit, and write its report if a folder is named."""
    from cclearn.audit.report import write_report
    from cclearn.audit.run import run_audit
    from cclearn.coding.model_record import model_record
    from cclearn.runtime.audit import audited
    from cclearn.runtime.files import atomic_folder, refuse_existing
    from cclearn.runtime.progress import quiet_libraries, track

    inputs.check()
    recognisers = []
    if pii:
        from cclearn.audit.presidio import presidio_recogniser

        recognisers.append(presidio_recogniser())
    if out is not None:
        refuse_existing(out, overwrite)
    if inputs.model is not None:
        quiet_libraries()
    with audited("audit") as log:
        models = ["lexicon", *([inputs.model] if inputs.model is not None else [])]
        log.begin([model_record(name) for name in models], system)
        report = run_audit(inputs, system, settings, recognisers, track)
        log.fields["notes"] = report.audited.size.notes
        log.fields["corpus_sha256"] = report.audited.sha256
    if out is not None:
        with atomic_folder(out, overwrite, "audit") as folder:
            write_report(folder, report)
        print_message(f"Report: {out / 'audit.md'}")
    return report


def _plant(
    path: Path,
    count: int,
    repeats: int,
    secrets: Path,
    out: Path,
    overwrite: bool,
    seed: int,
    system: CodeSystem,
) -> None:
    """Write a copy of notes with canaries."""
    from cclearn.audit.canaries import new_canaries, plant
    from cclearn.audit.inputs import NoteSet
    from cclearn.runtime.progress import track

    found = NoteSet.find(path, system, track)
    written = plant(found, new_canaries(count, repeats, seed), out, secrets, overwrite)
    print_message(f"{counted(written)}, {count:,} canaries in {repeats:,} each: {out}")
    print_message(f"Secrets, to be kept away from the training: {secrets}")


def audit_view(report: AuditReport) -> View:
    """Show the checks of an audit, the numbers that are only reported, and the verdict."""
    from rich.table import Table
    from rich.text import Text

    from cclearn.audit.report import (
        CHECK_HEAD,
        DIVERSITY_HEAD,
        check_rows,
        detail_lines,
        diversity_rows,
        summary_lines,
    )
    from cclearn.errors import visible

    def table(head: list[str], rows: list[list[str]]) -> Table:
        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for number, name in enumerate(head):
            shown.add_column(name, justify="right" if number else "left")
        for cells in rows:
            style = "bold red" if cells[-1] == "FAIL" else None
            shown.add_row(*(Text(visible(cell)) for cell in cells), style=style)
        return shown

    diversity = report.diversity
    title = f"diversity of {counted(diversity.notes)}, cut after {diversity.words} words"
    return [
        *(Text(visible(line)) for line in summary_lines(report)),
        table(CHECK_HEAD, check_rows(report)),
        Text(title),
        table(DIVERSITY_HEAD, diversity_rows(diversity)),
        *(Text(visible(line)) for line in detail_lines(report)),
        Text(f"verdict: {'pass' if report.passed else 'FAIL'}", style="bold"),
    ]
