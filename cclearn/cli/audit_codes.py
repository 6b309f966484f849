"""The command that audits codes which somebody has assigned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli.options import (
    CoderOptions,
    FormatOption,
    IdColumnOption,
    OverwriteOption,
    TextColumnOption,
    coder_settings,
    with_options,
)
from cclearn.runtime.display import counted, print_message

if TYPE_CHECKING:
    from cclearn.notes import CodedNote


@with_options(coder=coder_settings)
def audit_codes_command(
    coder: CoderOptions,
    notes: Annotated[
        list[Path],
        typer.Option(help="Notes: files and folders that `cclearn code` reads; repeatable."),
    ],
    codes: Annotated[
        Path,
        typer.Option(
            help="Assigned codes: a table (.csv, .tsv, .jsonl, .parquet) with the id of the note and its"
            " codes, or coded notes."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write. `cclearn review` opens a .jsonl file.", rich_help_panel="Output"
        ),
    ],
    text_column: TextColumnOption = None,
    id_column: IdColumnOption = None,
    codes_id_column: Annotated[
        str | None,
        typer.Option(
            "--codes-id-column",
            help="Column of the codes with the id of the note. Default: note_id, id or hadm_id.",
            rich_help_panel="Notes",
        ),
    ] = None,
    code_column: Annotated[
        str | None,
        typer.Option(
            "--code-column",
            help="Column with a code or a list of codes. Default: code, codes, icd_code or icd.",
            rich_help_panel="Notes",
        ),
    ] = None,
    format_name: FormatOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Compare assigned codes with a note: missing, unsupported, too specific or not enough, invalid.

    Each code gets its finding as a flag (`audit: …`) and the words of the note that it rests on. The
    findings are those of a coder, and remarks for a person who decides.
    """
    from cclearn.coding.load import load_coder_quietly
    from cclearn.coding.model_record import model_record
    from cclearn.errors import CclearnError
    from cclearn.notes.columns import NoteColumns
    from cclearn.notes.inputs import NoteSource, read_source
    from cclearn.outputs import find_output
    from cclearn.runtime.audit import audited
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import track
    from cclearn.workflows.audit_codes import AssignedCodes, audit_notes

    settings = coder()
    refuse_existing(out, overwrite, inputs=[*notes, codes])
    output = find_output(out, format_name)
    source = NoteSource(tuple(notes), NoteColumns(text_column, id_column))
    assigned = AssignedCodes.read(codes, codes_id_column, code_column)
    system = settings.load_system()
    loaded = load_coder_quietly(settings, system)
    all_mentions = None
    if settings.is_lexicon and settings.assertion != "off":
        all_mentions = load_coder_quietly(
            replace(settings, assertion="off", calibration="off"), system
        )
    counts: Counter[str] = Counter()
    found: set[str] = set()
    with audited("audit-codes") as audit:
        audit.begin([model_record(settings.model, loaded.model_sha256)], system, counts=counts)
        audited_notes = audit_notes(
            audit.read(read_source(source)), assigned, loaded, all_mentions, counts
        )

        def noted() -> Iterator[CodedNote]:
            for note in audited_notes:
                found.add(note.id)
                yield note
            if assigned.by_note and not found & assigned.by_note.keys():
                raise CclearnError(
                    f"codes (codes = {codes}): none of its ids is that of a note, so that every code is"
                    " missing. Name the columns with --id-column and --codes-id-column."
                )

        count = output.write(track(noted(), f"auditing with {loaded.name}"), overwrite)
    print_message(f"{counted(count)} audited with {loaded.name}: {out}")
    for finding, number in sorted(counts.items()):
        print_message(f"{finding}: {number:,}")
    if unknown := len(assigned.by_note.keys() - found):
        print_message(f"ids of the codes without a note: {unknown:,}")
    if without := len(found - assigned.by_note.keys()):
        print_message(f"notes without assigned codes, whose codes are all missing: {without:,}")
    if rows := assigned.unusable:
        shown = ", ".join(map(str, rows[:10])) + (", …" if len(rows) > 10 else "")
        print_message(f"rows of the codes with values that are not codes: {len(rows):,} ({shown})")
