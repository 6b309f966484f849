"""Tables and other views that the command line prints.

A view is a list of lines and tables. `print_view` fits it to the terminal. A pipe or a file receives
plain text, in which no cell is wrapped or truncated.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from math import ceil
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cclearn.codes import CodeSystem
from cclearn.codes.code_info import NamedCode, code_info
from cclearn.errors import visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cclearn.codes.release_diff import CodeChange
    from cclearn.codes.search import Hit
    from cclearn.coding.calibration.model import Calibration
    from cclearn.engines.batch_files import BatchFile
    from cclearn.evaluation import Evaluation
    from cclearn.evaluation.bootstrap import Difference
    from cclearn.notes import CodedNote, Evidence
    from cclearn.packaged_models import PackagedModel
    from cclearn.training.dry_run import DryRun

View = Sequence[Text | Table]
"""What a command prints: lines and tables, from top to bottom."""

_CONTEXT = 12
"""Code points of the note that are shown on each side of a quote."""

_LONGEST_LIST = 12
"""Longer lists of codes are cut, and their length is shown."""

_BAR = 30
"""Characters of the longest bar of a histogram."""

_UNLIMITED = 1_000_000
"""Columns of a pipe or a file."""


def print_view(view: View) -> None:
    """Print a view to standard output: fitted to a terminal, as plain text otherwise."""
    if sys.stdout.isatty():
        console = Console()
        for part in view:
            console.print(part)
    else:
        sys.stdout.write(plain_text(view))


def plain_text(view: View) -> str:
    """Return a view without colours and borders, and with every cell on one line."""
    stream = StringIO()
    console = Console(file=stream, width=_UNLIMITED, color_system=None, force_terminal=False)
    for part in view:
        if isinstance(part, Table):
            part.box, part.pad_edge = None, False
            for column in part.columns:
                column.no_wrap = True
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def _plain_table(padding: tuple[int, int, int, int] = (0, 1, 0, 1)) -> Table:
    """Return an empty table without lines around its cells, on a terminal too."""
    return Table(box=None, pad_edge=False, padding=padding)


def coded_note_view(note: CodedNote) -> View:
    """Show the codes of a note with their evidence in its context, and the flags of the rules."""
    title = _text(note.id, style="bold")
    for flag in note.failures:
        title.append(f"  {visible(flag)}", style="yellow")
    remarks = [_text(flag, style="yellow") for flag in note.flags if flag not in note.failures]
    shown = [*note.codes, *note.rejected]
    if not shown:
        return [title, Text("no codes", style="dim"), *remarks]
    table = Table()
    table.add_column("code", style="bold", no_wrap=True)
    table.add_column("description")
    scored = any(assigned.score is not None for assigned in shown)
    decided = bool(note.rejected) or any(assigned.decision for assigned in shown)
    if scored:
        table.add_column("score", justify="right")
    if decided:
        table.add_column("decision")
    table.add_column("evidence")
    for number, assigned in enumerate(shown):
        rejected = number >= len(note.codes)
        title_cell = _text(assigned.description)
        if assigned.assertion != "present":
            title_cell.append(f" [{assigned.assertion.replace('_', ' ')}]", style="italic")
        cells: list[RenderableType] = [_text(assigned.code), title_cell]
        if scored:
            cells.append("–" if assigned.score is None else f"{assigned.score:.2f}")
        if decided:
            cells.append("reject" if rejected else assigned.decision or "–")
        quotes = Text("\n").join(_quote(note.text, piece) for piece in assigned.evidence)
        if not assigned.evidence:
            quotes = Text("no evidence cited", style="dim")
        table.add_row(*cells, quotes, style="dim" if rejected else None)
    flags = [f"{assigned.code} {flag}" for assigned in note.codes for flag in assigned.flags]
    return [title, table, *(_text(flag, style="yellow") for flag in flags), *remarks]


def _quote(text: str, evidence: Evidence) -> Text:
    before = text[max(0, evidence.start - _CONTEXT) : evidence.start]
    after = text[evidence.end : evidence.end + _CONTEXT]
    shown = Text(f"{evidence.start}:{evidence.end} ", style="dim")
    shown.append(
        _visible(" ".join(("…" + before).split())) + (" " if before[-1:].isspace() else "")
    )
    shown.append(_visible(evidence.text), style="bold black on yellow")
    shown.append((" " if after[:1].isspace() else "") + _visible(" ".join((after + "…").split())))
    return shown


def _visible(text: str) -> str:
    """Return text of a note on one line, with a replacement for each control character."""
    return "".join(
        " " if character.isspace() else character if visible(character) == character else "\ufffd"
        for character in text
    )


def _text(text: str, style: str = "") -> Text:
    """Return text that may come from a file, so that it contains no markup and no control characters."""
    return Text(visible(text), style=style)


def score_table(scores: Mapping[str, Evaluation], unit: str = "notes") -> View:
    """Show the scores of systems with their 95 % intervals, and the number of notes or spans.

    Args:
        scores: Scores by the name of the system.
        unit: Name of what was scored, in the plural.
    """
    from cclearn.evaluation.report.content import score_rows

    count = max(evaluation.notes for evaluation in scores.values())
    table = _plain_table((0, 2, 0, 0))
    table.add_column("")
    for name in scores:
        table.add_column(_text(name), justify="right", overflow="fold")
    for heading, *cells in score_rows(scores):
        table.add_row(heading, *cells)
    return [Text(f"{count} {unit}"), table]


def bound_table(bounds: Mapping[str, Evaluation]) -> View:
    """Show the scores of systems that bound those of others."""
    from cclearn.evaluation.bounds import BOUND_SCORES
    from cclearn.evaluation.report.content import score_rows

    table = _plain_table((0, 2, 0, 0))
    table.add_column("")
    for name in bounds:
        table.add_column(_text(name), justify="right", overflow="fold")
    for heading, *cells in score_rows(bounds, BOUND_SCORES):
        table.add_row(heading, *cells)
    return [Text("Bounds"), table]


def difference_table(differences: Mapping[tuple[str, str], Mapping[str, Difference]]) -> View:
    """Show the differences between systems with their 95 % intervals and p-values.

    Args:
        differences: Differences by pair of systems and by score.
    """
    from cclearn.evaluation.report.content import difference_rows

    table = _plain_table((0, 2, 0, 0))
    table.add_column("")
    table.add_column("difference (95 %)", justify="right", no_wrap=True)
    # By bootstrap and by randomisation; short, for a terminal of 80 columns.
    table.add_column("p boot.", justify="right", no_wrap=True)
    table.add_column("p rand.", justify="right", no_wrap=True)
    for (one, two), scores in differences.items():
        table.add_row(_text(f"{one} − {two}", style="bold"))
        for heading, *cells in difference_rows(scores):
            table.add_row(f"  {heading}", *cells)
    return [table]


def code_view(system: CodeSystem, code: str) -> View:
    """Show a code of a release with its family and its instructional notes.

    Raises:
        UnknownCodeError: The release does not contain the code.
    """
    info = code_info(system, code)
    head = _text(f"{info.code}  ", style="bold").append(visible(info.description))
    lines = [head, _text(f"{info.system} {info.release}: {info.status}", style="dim")]
    if info.stands_for:
        lines.append(_text(f"alone stands for {_code_and_title(info.stands_for)}"))
    instructions = {
        "excludes 1 (never coded together)": info.excludes1,
        "excludes 2 (not part of it)": info.excludes2,
        "code first": info.code_first,
        "use additional code": info.use_additional_code,
        "code also": info.code_also,
    }
    sections = {
        "also called": info.synonyms,
        "includes": info.includes,
        "7th characters": [
            f"{character} {meaning}" for character, meaning in info.seventh_characters.items()
        ],
        **{title: [note.text for note in notes] for title, notes in instructions.items()},
        "under": [_code_and_title(ancestor) for ancestor in info.ancestors],
        "children": [_code_and_title(child) for child in info.children],
        "siblings": [_code_and_title(sibling) for sibling in info.siblings],
    }
    for title, entries in sections.items():
        if entries:
            lines.append(Text(title, style="bold"))
            lines += [_text(f"  {entry}") for entry in entries[:_LONGEST_LIST]]
            if len(entries) > _LONGEST_LIST:
                lines.append(Text(f"  … {len(entries)} in all", style="dim"))
    return lines


def _code_and_title(code: NamedCode) -> str:
    return f"{code.code} {code.description}"


def hits_table(hits: list[Hit], system: CodeSystem) -> View:
    """Show the codes that a search found."""
    table = Table()
    table.add_column("code", style="bold", no_wrap=True)
    table.add_column("status")
    table.add_column("description")
    table.add_column("matched")
    table.add_column("score", justify="right")
    for hit in hits:
        matched = "" if hit.matched == hit.code.description else hit.matched
        status = system.status(hit.code.code)
        cells = map(_text, (hit.code.code, status, hit.code.description, matched))
        table.add_row(*cells, f"{hit.score:.0f}")
    return [table]


def changes_table(changes: Iterable[CodeChange]) -> View:
    """Show what a release changes about codes."""
    table = Table("code", "change", "title", "successors")
    for change in changes:
        title = change.new_title or change.old_title
        if change.change == "title":
            title = f"{change.old_title} → {change.new_title}"
        successors = list(change.successors)
        if len(successors) > _LONGEST_LIST:
            successors = [*successors[:_LONGEST_LIST], f"… ({len(change.successors)})"]
        table.add_row(visible(change.code), change.change, title, " ".join(successors))
    return [table] if table.row_count else [Text("Nothing changes.")]


def recipe_table(recipes: Mapping[str, tuple[str, str]]) -> View:
    """Show recipes.

    Args:
        recipes: Purpose and hardware by the name of the recipe.
    """
    table = _plain_table()
    table.add_column("recipe", no_wrap=True)
    for heading in ("purpose", "hardware"):
        table.add_column(heading, overflow="fold")
    for name, cells in recipes.items():
        table.add_row(*map(_text, (name, *cells)))
    return [table]


def packaged_models_table(models: Iterable[PackagedModel]) -> View:
    """Show packaged models, and whether their packages are installed."""
    table = _plain_table()
    table.add_column("model", no_wrap=True)
    for heading in ("description", "licence", "installed by"):
        table.add_column(heading, overflow="fold")
    table.add_column("installed")
    for model in models:
        cells = (model.name, model.description, model.licence.name, f"cclearn[{model.extra}]")
        table.add_row(*map(_text, (*cells, "yes" if model.is_installed else "no")))
    return [table]


def batch_table(files: Iterable[BatchFile]) -> View:
    """Show the files of batches, and how far they are."""
    table = _plain_table(padding=(0, 2, 0, 0))
    table.add_column("file", no_wrap=True)
    for name in ("requests", "status", "done", "failed"):
        table.add_column(name, justify="left" if name == "status" else "right")
    for file in files:
        counts = (f"{file.requests:,}", file.status, f"{file.done:,}", f"{file.failed:,}")
        table.add_row(_text(file.name), *counts)
    return [table]


def calibration_view(calibration: Calibration) -> View:
    """Show the error of a calibration before and after, and how many codes it accepts and rejects."""
    errors = calibration.expected_calibration_error
    before, after = (
        "–" if error is None else f"{error:.3f}" for error in (errors.before, errors.after)
    )
    table = _plain_table()
    table.add_column("")
    for heading in ("score", "codes", "share", "right"):
        table.add_column(heading, justify="right")
    thresholds = calibration.thresholds
    limits = {"accept": ("≥", thresholds.accept), "reject": ("≤", thresholds.reject)}
    for decision, decided in calibration.decisions.items():
        sign, limit = limits.get(decision, ("", None))
        table.add_row(
            decision,
            "" if limit is None else f"{sign} {limit:.3f}",
            f"{decided.codes:,}",
            f"{decided.codes / calibration.codes:.1%}",
            f"{decided.right / decided.codes:.1%}" if decided.codes else "–",
        )
    return [
        Text(
            f"{calibration.notes:,} notes, {calibration.codes:,} codes,"
            f" {calibration.base_rate:.1%} of them right"
        ),
        Text(f"expected calibration error {before} before, {after} after (cross-validated)"),
        table,
    ]


def dry_run_view(run: DryRun) -> View:
    """Show the rows of one epoch by source, and a histogram of their lengths."""
    return [Text("One epoch"), _epoch_table(run), Text("Lengths of rows"), _length_table(run)]


def _epoch_table(run: DryRun) -> Table:
    tokens = sum(part.tokens for part in run.epoch_rows)
    supervised = sum(part.supervised_tokens for part in run.epoch_rows)
    table = _plain_table()
    for heading in ("source", "kind", "grade"):
        table.add_column(heading, overflow="fold")
    for heading in ("rows", "distinct", "times seen", "tokens", "share", "supervised", "share"):
        table.add_column(heading, justify="right")
    for part in run.epoch_rows:
        table.add_row(
            str(part.source),
            _text(part.kind),
            _text(part.grade or ""),
            f"{part.rows:,}",
            f"{part.distinct:,}",
            f"{run.times_seen(part):.1f}",
            f"{part.tokens:,}",
            f"{part.tokens / tokens:.0%}",
            f"{part.supervised_tokens:,}",
            f"{part.supervised_tokens / supervised:.0%}",
        )
    return table


def _length_table(run: DryRun) -> Table:
    longest = max(count for _, _, count in run.lengths)
    table = _plain_table()
    table.add_column("tokens", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("")
    for low, high, count in run.lengths:
        table.add_row(f"{low + 1}–{high}", f"{count:,}", "█" * ceil(_BAR * count / longest))
    return table
