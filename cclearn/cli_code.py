"""The command that codes notes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cclearn.cli_options import (
    CalibrationOption,
    EncounterOption,
    EngineOption,
    FormatOption,
    LoopOption,
    ModelOption,
    ModeOption,
    OverwriteOption,
    PairsOption,
    ReleaseOption,
    SystemOption,
    coder_settings,
)
from cclearn.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from cclearn.coding.settings import CoderSettings
    from cclearn.notes import CodedNote, Note


def code(
    source: Annotated[
        str, typer.Argument(help="A .txt file, a folder of them, a .jsonl file, or - for stdin.")
    ],
    model: ModelOption = "lexicon",
    out: Annotated[Path | None, typer.Option(help="A file to write to.")] = None,
    format_name: FormatOption = None,
    engine: EngineOption = None,
    mode: ModeOption = "single_pass",
    loop: LoopOption = None,
    calibration: CalibrationOption = None,
    encounter: EncounterOption = None,
    pairs: PairsOption = None,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Code notes: every code with the words of the note that justify it."""
    settings = coder_settings(
        model, engine, mode, loop, calibration, encounter, pairs, system, release
    )
    _code_to_file(source, settings, out, format_name, overwrite)


def _code_to_file(
    source: str,
    settings: CoderSettings,
    out: Path | None,
    format_name: str | None,
    overwrite: bool,
) -> None:
    """Code notes in this process, to one file, the terminal or standard output."""
    from cclearn.files import refuse_existing
    from cclearn.outputs import find_output
    from cclearn.progress import track

    if out is not None:
        if out.is_dir():
            raise ConfigurationError([f"output (out = {out}): it is a folder. Name a file."])
        refuse_existing(out, overwrite)
    output = find_output(out, format_name)
    system = settings.load_system()
    unread: list[DataError] = []
    notes = _readable(_notes(source), unread)
    coder = settings.load(system)
    failures: Counter[str] = Counter()
    coded = _counted(coder.code_many(notes), failures)
    if out is not None:
        count = output.write(track(coded, f"coding with {coder.name}"))
        typer.echo(f"{count} notes coded with {coder.name}: {out}", err=True)
    elif format_name is None and sys.stdout.isatty():
        from rich.console import Console

        from cclearn.display import coded_note_view

        console = Console()
        for note in coded:
            console.print(coded_note_view(note))
    else:
        for chunk in output.chunks(coded):  # UTF-8, whatever the locale.
            sys.stdout.buffer.write(chunk.encode())
    for flag, count in sorted(failures.items()):
        typer.echo(f"notes flagged {flag}: {count}", err=True)
    if unread:
        raise unread[0]


def _counted(coded: Iterator[CodedNote], failures: Counter[str]) -> Iterator[CodedNote]:
    """Yield coded notes, and count their failures: the flags without a colon, which remarks have."""
    for note in coded:
        failures.update(flag for flag in note.flags if ": " not in flag)
        yield note


def _readable(notes: Iterator[Note], unread: list[DataError]) -> Iterator[Note]:
    """Yield notes; what is wrong with others waits until these are coded, unless there are none."""
    some = False
    try:
        for note in notes:
            some = True
            yield note
    except DataError as error:
        if not some:
            raise
        unread.append(error)


def _notes(source: str) -> Iterator[Note]:
    from cclearn.files import decode_text
    from cclearn.notes import Note
    from cclearn.notes.jsonl import read_notes

    if source != "-":
        return read_notes(Path(source))
    text = decode_text(sys.stdin.buffer.read(), "standard input")
    return iter([Note(id="stdin", text=text)])
