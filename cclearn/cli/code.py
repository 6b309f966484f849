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
    OverwriteOption,
    RayOption,
    coder_settings,
    with_options,
)
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.runtime.shown import tell

if TYPE_CHECKING:
    from cclearn.bulk import BulkOptions
    from cclearn.bulk.corpus import Survey
    from cclearn.codes import CodeSystem
    from cclearn.coding.settings import CoderSettings
    from cclearn.notes import CodedNote, Note
    from cclearn.runtime.audit import Audit


@with_options(coder=coder_settings)
def code_command(
    source: Annotated[
        str,
        typer.Argument(
            help="A .txt file, a folder of such files, a .jsonl or .parquet file, or - for standard"
            " input."
        ),
    ],
    coder: CoderOptions,
    out: Annotated[
        str | None,
        typer.Option(
            help="File to write; or a folder (coded/), which receives the notes in shards. The same"
            " command continues a run that was stopped."
        ),
    ] = None,
    format_name: FormatOption = None,
    overwrite: OverwriteOption = False,
    shard_size: Annotated[
        int,
        typer.Option(
            min=1, help="For a folder: number of notes in a shard, which a stop may lose at most."
        ),
    ] = 1_000,
    ray: RayOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --ray: number of workers. Default: one per GPU if the model needs a GPU,"
            " otherwise one per core.",
        ),
    ] = None,
    retry: Annotated[
        bool,
        typer.Option(
            "--retry",
            help="For a folder: code the shards again that contain a note without an answer.",
        ),
    ] = False,
) -> None:
    """Assign codes to notes, each with the words of the note that justify it."""
    from cclearn.bulk.launcher import has_several_processes, is_first_process
    from cclearn.runtime.audit import audited

    settings = coder()
    if out is not None and _is_folder(out, format_name):
        from cclearn.bulk import BulkOptions

        options = BulkOptions(shard_size, overwrite, retry, ray, workers)
        with audited("code", writes=is_first_process()) as audit:
            _code_to_folder(source, settings, Path(out), format_name, options, audit)
    else:
        if ray is not None or workers is not None or has_several_processes():
            raise ConfigurationError(
                [
                    f"output (out = {out}): several processes write a folder. Name one (--out coded/)."
                ]
            )
        if retry:
            raise ConfigurationError(
                [
                    f"retry (out = {out}): shards alone are coded again. Name their folder with --out."
                ]
            )
        path = None if out is None else Path(out)
        with audited("code") as audit:
            _code_to_file(source, settings, path, format_name, overwrite, audit)


def export_command(
    source: Annotated[
        Path, typer.Argument(help="Coded notes: a .jsonl or .parquet file, or the folder of a run.")
    ],
    out: Annotated[Path, typer.Option(help="File to write.")],
    format_name: FormatOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write coded notes in another format, or the shards of a run as one file."""
    from cclearn.bulk.folder import coded_notes
    from cclearn.notes.jsonl import read_coded_notes
    from cclearn.outputs import find_output
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import track

    refuse_existing(out, overwrite)
    output = find_output(out, format_name)
    notes = coded_notes(source) if source.is_dir() else read_coded_notes(source)
    count = output.write(track(notes, f"writing {output.name}"), overwrite)
    tell(f"{count} notes: {out}")


def _is_folder(out: str, format_name: str | None) -> bool:
    """Return whether an output is a folder: it exists as one, ends with a slash, or has no suffix."""
    if out.endswith(("/", os.sep)) or Path(out).is_dir():
        return True
    return format_name is None and not Path(out).suffix


def _code_to_folder(
    source: str,
    settings: CoderSettings,
    out: Path,
    format_name: str | None,
    options: BulkOptions,
    audit: Audit,
) -> None:
    """Code a corpus in shards, into a folder that the same command can continue."""
    from cclearn.bulk import code_corpus
    from cclearn.coding.model_record import model_record
    from cclearn.runtime.files import FULL

    problems = []
    if source == "-":
        problems.append("source (source = -): a run that can go on reads a file. Save it first.")
    if format_name not in (None, "jsonl"):
        problems.append(
            f"format (format = {format_name}): a folder of shards holds JSONL. Leave --format out."
        )
    if problems:
        raise ConfigurationError(problems)

    def begin_audit(survey: Survey, system: CodeSystem) -> None:
        corpus = {"notes": survey.rows, "corpus_sha256": survey.sha256}
        model = model_record(settings.model, engine=settings.engine)
        audit.begin([model], system, **corpus)

    try:
        summary = code_corpus(Path(source), out, settings, options, begin_audit)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise CclearnError(
            f"{error.filename}: {error.strerror}. Finished shards are kept. Free some space, and run"
            " the same command again to continue."
        ) from None
    except KeyboardInterrupt:
        tell("Stopped. Finished shards are kept; the same command continues.")
        raise
    if summary is None:  # The first process reports.
        return
    audit.known["counts"] = {
        "coded": summary.notes,
        "codes": summary.codes,
        "rejected": sum(summary.rejected.values()),
    }
    for line in summary.lines(out):
        tell(line)
    if not summary.notes:
        raise CclearnError(f"output (out = {out}): no note was coded.")


def _code_to_file(
    source: str,
    settings: CoderSettings,
    out: Path | None,
    format_name: str | None,
    overwrite: bool,
    audit: Audit,
) -> None:
    """Code notes in this process, to a file, the terminal or standard output."""
    from cclearn.coding.load import load_coder_quietly
    from cclearn.coding.model_record import model_record
    from cclearn.outputs import find_output
    from cclearn.runtime.files import refuse_existing
    from cclearn.runtime.progress import track

    if out is not None:
        refuse_existing(out, overwrite)
    output = find_output(out, format_name)
    system = settings.load_system()
    unreadable: list[DataError] = []
    notes = _readable(_notes(source), unreadable)
    coder = load_coder_quietly(settings, system)
    failures: Counter[str] = Counter()
    counts = Counter(coded=0, codes=0)
    audit.begin([model_record(settings.model, coder.model_sha256)], system, counts=counts)
    coded = _counted(coder.code_many(audit.read(notes)), failures, counts)
    if out is not None:
        count = output.write(track(coded, f"coding with {coder.name}"), overwrite)
        tell(f"{count} notes coded with {coder.name}: {out}")
    elif format_name is None and sys.stdout.isatty():
        from cclearn.cli.tables import coded_note_view, print_view

        for note in coded:
            print_view(coded_note_view(note))
    else:
        for chunk in output.chunks(coded):  # UTF-8, whatever the locale.
            sys.stdout.buffer.write(chunk.encode())
    for flag, count in sorted(failures.items()):
        tell(f"notes flagged {flag}: {count}")
    if unreadable:
        raise unreadable[0]


def _counted(
    coded: Iterator[CodedNote], failures: Counter[str], counts: Counter[str]
) -> Iterator[CodedNote]:
    """Yield coded notes, and count the notes, their codes and their failures."""
    for note in coded:
        failures.update(note.failures)
        counts.update(coded=1, codes=len(note.codes))
        yield note


def _readable(notes: Iterator[Note], unreadable: list[DataError]) -> Iterator[Note]:
    """Yield the notes that can be read, and keep the error about the others for later.

    Args:
        notes: The notes.
        unreadable: List to which the error is appended.

    Raises:
        DataError: No note can be read.
    """
    found = False
    try:
        for note in notes:
            found = True
            yield note
    except DataError as error:
        if not found:
            raise
        unreadable.append(error)


def _notes(source: str) -> Iterator[Note]:
    from cclearn.notes import Note
    from cclearn.notes.jsonl import read_notes
    from cclearn.runtime.files import decode_text

    if source != "-":
        return read_notes(Path(source))
    text = decode_text(sys.stdin.buffer.read(), "standard input")
    return iter([Note(id="stdin", text=text)])
