"""The commands that code notes, and that write coded notes in other formats."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli.options import (
    CoderOptions,
    FormatOption,
    IdColumnOption,
    OverwriteOption,
    RayOption,
    TextColumnOption,
    coder_settings,
    with_options,
)
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.runtime.display import counted, print_message

if TYPE_CHECKING:
    from cclearn.bulk import BulkOptions
    from cclearn.bulk.corpus import Survey
    from cclearn.codes import CodeSystem
    from cclearn.coding.settings import CoderSettings
    from cclearn.notes import CodedNote, Note
    from cclearn.notes.columns import NoteColumns
    from cclearn.notes.inputs import NoteSource
    from cclearn.runtime.audit import Audit


_STANDARD = "-"


@with_options(coder=coder_settings)
def code_command(
    source: Annotated[
        list[str],
        typer.Argument(
            help="Files (.txt, .jsonl, .csv, .tsv, .parquet), folders of .txt files, or - for standard"
            " input, which is a note, notes as JSONL, or with --text-column a table."
        ),
    ],
    coder: CoderOptions,
    text_column: TextColumnOption = None,
    id_column: IdColumnOption = None,
    keep_fields: Annotated[
        bool,
        typer.Option(
            "--keep-fields",
            help="Keep the other columns or fields, as `metadata` of the coded notes.",
            rich_help_panel="Notes",
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            help="File to write; a folder (coded/), which receives the notes in shards, so that the same"
            " command continues a run that was stopped; or - for standard output.",
            rich_help_panel="Output",
        ),
    ] = None,
    format_name: FormatOption = None,
    overwrite: OverwriteOption = False,
    shard_size: Annotated[
        int,
        typer.Option(
            min=1,
            help="For a folder: number of notes in a shard. A stopped run loses at most the shards in"
            " progress.",
            rich_help_panel="Output",
        ),
    ] = 1_000,
    ray: RayOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --ray: number of workers. Default: one per GPU if the model needs a GPU,"
            " otherwise one per core.",
            rich_help_panel="Several processes",
        ),
    ] = None,
    retry: Annotated[
        bool,
        typer.Option(
            "--retry",
            help="For a folder: code the shards again that contain a note without an answer.",
            rich_help_panel="Output",
        ),
    ] = False,
) -> None:
    """Assign codes to notes, each with the words of the note that justify it."""
    from cclearn.bulk.launcher import has_several_processes, is_first_process
    from cclearn.runtime.audit import audited

    settings = coder()
    notes = _note_source(source, text_column, id_column, keep_fields)
    if out is not None and _is_folder(out, format_name):
        from cclearn.bulk import BulkOptions

        options = BulkOptions(shard_size, overwrite, retry, ray, workers)
        with audited("code", writes=is_first_process()) as audit:
            _code_to_folder(notes, settings, Path(out), format_name, options, audit)
    else:
        if ray is not None or workers is not None or has_several_processes():
            raise ConfigurationError(
                [
                    f"output (out = {out}): several processes can only write a folder. Name a folder"
                    " (--out coded/)."
                ]
            )
        if retry:
            raise ConfigurationError(
                [
                    f"retry (out = {out}): only the shards of a folder can be coded again. Name the"
                    " folder with --out."
                ]
            )
        path = None if out is None or out == _STANDARD else Path(out)
        pretty = out is None and format_name is None and sys.stdout.isatty()
        try:
            with audited("code") as audit:
                _code_to_file(notes, settings, path, format_name, overwrite, audit, pretty)
        except KeyboardInterrupt:
            if path is not None:
                print_message(
                    f"Stopped. {path} was not written. A run into a folder (--out coded/) can be"
                    " continued."
                )
            raise


def export_command(
    source: Annotated[
        Path, typer.Argument(help="Coded notes: a .jsonl or .parquet file, or the folder of a run.")
    ],
    out: Annotated[Path, typer.Option(help="File to write.")],
    format_name: FormatOption = None,
    concepts: Annotated[
        Path | None,
        typer.Option(
            help="For omop: CONCEPT.csv of your vocabulary, for the concepts of codes.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write coded notes in another format, or the shards of a run as one file."""
    from cclearn.bulk.folder import read_coded
    from cclearn.outputs import find_output
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import track

    if str(out) == _STANDARD:
        raise ConfigurationError(["out (out = -): an export is a file. Name one."])
    refuse_existing(out, overwrite, inputs=[source])
    output = find_output(out, format_name, concepts)
    count = output.write(track(read_coded(source), f"writing {output.name}"), overwrite)
    print_message(f"{counted(count)}: {out}")


def _is_folder(out: str, format_name: str | None) -> bool:
    """Return whether an output is a folder: it exists as one, ends with a slash, or has no suffix."""
    if out == _STANDARD:
        return False
    if out.endswith(("/", os.sep)) or Path(out).is_dir():
        return True
    return format_name is None and not Path(out).suffix


def _note_source(
    names: list[str], text_column: str | None, id_column: str | None, keep: bool
) -> NoteSource | NoteColumns:
    """Return the source that the arguments name; for standard input, the columns to read.

    Raises:
        ConfigurationError: Standard input is named beside a file.
    """
    from cclearn.notes.columns import NoteColumns
    from cclearn.notes.inputs import NoteSource

    columns = NoteColumns(text_column, id_column, keep)
    if _STANDARD not in names:
        return NoteSource(tuple(map(Path, names)), columns)
    if len(names) > 1:
        raise ConfigurationError(
            ["source (source = -): standard input is read alone. Omit it, or the other paths."]
        )
    return columns


def _code_to_folder(
    source: NoteSource | NoteColumns,
    settings: CoderSettings,
    out: Path,
    format_name: str | None,
    options: BulkOptions,
    audit: Audit,
) -> None:
    """Code a corpus in shards, into a folder that the same command can continue."""
    from cclearn.bulk import code_corpus
    from cclearn.coding.model_record import model_record
    from cclearn.notes.columns import NoteColumns
    from cclearn.runtime.files import FULL

    problems = []
    if isinstance(source, NoteColumns):
        problems.append(
            "source (source = -): a run that can be continued must read a file. Save the input first."
        )
    if format_name not in (None, "jsonl"):
        problems.append(f"format (format = {format_name}): shards are always JSONL. Omit --format.")
    if isinstance(source, NoteColumns) or problems:
        raise ConfigurationError(problems)

    def begin_audit(survey: Survey, system: CodeSystem) -> None:
        corpus = {"notes": survey.rows, "corpus_sha256": survey.sha256}
        model = model_record(settings.model, engine=settings.engine)
        audit.begin([model], system, **corpus)
        _print_remarks(source)

    try:
        summary = code_corpus(source, out, settings, options, begin_audit)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise CclearnError(
            f"{error.filename}: {error.strerror}. Finished shards are kept. Free some space, and run"
            " the same command again to continue."
        ) from None
    except KeyboardInterrupt:
        print_message("Stopped. Finished shards are kept. Run the same command again to continue.")
        raise
    if summary is None:  # Only the first process has a summary.
        return
    audit.fields["counts"] = {
        "coded": summary.notes,
        "codes": summary.codes,
        "rejected": sum(summary.rejected.values()),
    }
    for line in summary.lines(out):
        print_message(line)
    if not summary.notes:
        raise CclearnError(f"output (out = {out}): no note was coded.")


def _print_remarks(source: NoteSource) -> None:
    for remark in source.remarks():
        print_message(remark)


def _code_to_file(
    source: NoteSource | NoteColumns,
    settings: CoderSettings,
    out: Path | None,
    format_name: str | None,
    overwrite: bool,
    audit: Audit,
    pretty: bool,
) -> None:
    """Code notes in this process, to a file or standard output, or as tables to the terminal."""
    from cclearn.coding.load import load_coder_quietly
    from cclearn.coding.model_record import model_record
    from cclearn.notes.inputs import NoteSource
    from cclearn.outputs import find_output
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import track

    if out is not None:
        inputs = source.paths if isinstance(source, NoteSource) else ()
        refuse_existing(out, overwrite, inputs=inputs)
    output = find_output(out, format_name)
    system = settings.load_system()
    postponed: list[DataError] = []
    notes = _postpone_error(_read_source(source), postponed)
    coder = load_coder_quietly(settings, system)
    failures: Counter[str] = Counter()
    counts = Counter(coded=0, codes=0)
    audit.begin([model_record(settings.model, coder.model_sha256)], system, counts=counts)
    coded = _count_notes(coder.code_many(audit.read(notes)), failures, counts)
    if out is not None:
        count = output.write(track(coded, f"coding with {coder.name}"), overwrite)
        print_message(f"{counted(count)} coded with {coder.name}: {out}")
    elif pretty:
        from cclearn.cli.tables import coded_note_view, print_view

        for note in coded:
            print_view(coded_note_view(note))
    else:
        for chunk in output.chunks(coded):  # The output is UTF-8, whatever the locale is.
            sys.stdout.buffer.write(chunk.encode())
    if isinstance(source, NoteSource):
        _print_remarks(source)
    for flag, count in sorted(failures.items()):
        print_message(f"notes flagged {flag}: {count}")
    if postponed:
        raise postponed[0]


def _count_notes(
    coded: Iterator[CodedNote], failures: Counter[str], counts: Counter[str]
) -> Iterator[CodedNote]:
    """Yield coded notes, and count the notes, their codes and their failures."""
    for note in coded:
        failures.update(note.failures)
        counts.update(coded=1, codes=len(note.codes))
        yield note


def _postpone_error(notes: Iterator[Note], postponed: list[DataError]) -> Iterator[Note]:
    """Yield the notes that can be read, and postpone the error about the others.

    The coded notes can then be written before the error is raised.

    Args:
        notes: Notes of a source, which reports all of its problems in one error after the last note.
        postponed: List to which that error is appended.

    Raises:
        DataError: No note can be read.
    """
    has_notes = False
    try:
        for note in notes:
            has_notes = True
            yield note
    except DataError as error:
        if not has_notes:
            raise
        postponed.append(error)


def _read_source(source: NoteSource | NoteColumns) -> Iterator[Note]:
    """Return the notes of files and folders, or of standard input if only columns are given."""
    from cclearn.notes.columns import NoteColumns
    from cclearn.notes.inputs import read_source, read_stream

    if isinstance(source, NoteColumns):
        return read_stream(sys.stdin.buffer, source, "standard input", "stdin")
    return read_source(source)
