"""The report of an audit as JSON and as Markdown. Neither contains text of a note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import cclearn
from cclearn.audit.checks import Check
from cclearn.audit.diversity import Diversities
from cclearn.audit.run import AuditReport
from cclearn.errors import shown_id
from cclearn.evaluation.bootstrap import Score
from cclearn.evaluation.report.content import format_score
from cclearn.runtime.display import counted, markdown_text
from cclearn.runtime.files import atomic_file, write_json

REPORT_VERSION = 1
"""Version of the JSON report, which changes if a field changes its meaning or is removed."""

JSON_FILE, MARKDOWN_FILE = "audit.json", "audit.md"

_SHOWN = 20
"""Maximum number of notes or places that the Markdown report lists for a check."""

_Rows = Iterable[Sequence[str]]


def write_report(folder: Path, report: AuditReport) -> None:
    """Write a report to `audit.json` and `audit.md` in a folder.

    Args:
        folder: Folder to write to.
        report: Report to write.
    """
    write_json(folder / JSON_FILE, report_json(report))
    with atomic_file(folder / MARKDOWN_FILE) as stream:
        stream.write(report_markdown(report).encode("utf-8"))


def report_json(report: AuditReport) -> dict[str, Any]:
    """Return a report as values of JSON, with the ids of all offending notes."""
    parts: dict[str, Any] = {
        "overlap": report.overlap,
        "duplicates": report.duplicates,
        "leaks": report.leaks,
        "nearest": report.nearest,
        "canaries": report.canaries,
        "exposure": report.exposure,
        "membership": report.membership,
        "support": report.support,
        "diversity": report.diversity,
    }
    return {
        "report_version": REPORT_VERSION,
        "cclearn": cclearn.__version__,
        "passed": report.passed,
        "code_system": dict(zip(("name", "release"), report.code_system, strict=True)),
        "audited": asdict(report.audited),
        "reference": None if report.reference is None else asdict(report.reference),
        "settings": report.settings.model_dump(mode="json"),
        "checks": [{**asdict(check), "passed": check.passed} for check in report.checks],
        "chapters": [asdict(row) for row in report.chapters],
        **{name: None if part is None else _details(part) for name, part in parts.items()},
    }


def _details(part: Any) -> dict[str, Any]:
    """Return the fields of a part of a report, without its checks, which are in one list."""
    names = [field.name for field in fields(part) if not str(field.type).startswith("Check")]
    values = asdict(part)
    return {name: values[name] for name in names}


def verdict(check: Check) -> str:
    """Return the verdict of a check: `pass`, `FAIL`, or a dash if the number is only reported."""
    return {None: "–", True: "pass", False: "FAIL"}[check.passed]


def check_rows(report: AuditReport) -> list[list[str]]:
    """Return the cells of each check: its title, what was found, the limit, and the verdict."""
    return [
        [
            check.title,
            _number(check.found),
            "–" if check.limit is None else _number(check.limit),
            verdict(check),
        ]
        for check in report.checks
    ]


CHECK_HEAD = ["check", "found", "limit", "verdict"]

DIVERSITY_HEAD = ["", "notes", "reference"]


def diversity_rows(diversity: Diversities) -> list[list[str]]:
    """Return the cells of each measure of diversity, for the notes and for the reference."""
    measures = {
        "compression ratio": "compression_ratio",
        "repeated 10-grams": "self_repetition",
        "distinct openings": "distinct_openings",
    }
    return [
        [
            title,
            *(
                "–" if measured is None else f"{getattr(measured, name):.3f}"
                for measured in (diversity.audited, diversity.reference)
            ),
        ]
        for title, name in measures.items()
    ]


def summary_lines(report: AuditReport) -> list[str]:
    """Return the sentences that begin a report: what was compared, and what was not run."""
    sizes = [counted(report.audited.size.notes)]
    if report.reference is not None:
        sizes.append(f"{counted(report.reference.size.notes, 'reference note')}")
    lines = [", ".join(sizes)]
    needed = {
        "overlap and leaks": (report.overlap, "--against"),
        "canaries": (report.canaries, "--canaries"),
        "exposure": (report.exposure, "--canaries and --model"),
        "membership": (report.membership, "--members and --non-members"),
    }
    lines += [
        f"Not run: {name}. Name {options}."
        for name, (part, options) in needed.items()
        if part is None
    ]
    return lines


def detail_lines(report: AuditReport) -> list[str]:
    """Return sentences with the numbers that are only reported."""
    lines = []
    if report.overlap is not None:
        lines.append(
            f"13-grams: {report.overlap.shared_grams:,} of {report.overlap.grams:,} are in the"
            f" reference and not common, and {report.overlap.common_grams:,} are common;"
            f" {report.overlap.overlapping:,} notes have one that is not common."
        )
    if report.duplicates is not None:
        lines.append(
            f"Near-duplicates: {report.duplicates.unjudged:,} notes share too few phrases with the"
            " reference, apart from common ones, to be judged."
        )
    if report.leaks is not None:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.leaks.kinds.items())
        lines.append(
            f"Identifiers: {report.leaks.reference:,} in the reference; places in the notes:"
            f" {kinds or 'none'}, and {report.leaks.common:,} of common ones."
        )
    if report.nearest is not None and report.nearest.notes:
        shown = ", ".join(f"{value:.2f} ({q})" for q, value in report.nearest.quantiles.items())
        lines.append(f"Similarity to the nearest reference note, by quantile: {shown}.")
    if report.exposure is not None:
        shown = ", ".join(f"{bits:.1f}" for bits in report.exposure.bits)
        lines.append(f"Exposure of each canary in bits: {shown}.")
    if report.membership is not None:
        lines += _membership_lines(report)
    found = report.support.found
    if found is not None:
        lines.append(
            f"The lexicon finds {found.codes:,} codes in {found.notes:,} notes; {found.unlabelled:,} of"
            f" them, in {found.notes_with_unlabelled:,} notes, are not labels. It finds"
            f" {found.labels_found:,} of {found.labels:,} labels."
        )
    diversity = report.diversity
    lines.append(f"{diversity.repeats:,} notes nearly repeat an earlier note (estimate).")
    return lines


def _membership_lines(report: AuditReport) -> Iterator[str]:
    part = report.membership
    if part is None:
        return
    yield (
        f"Membership: {part.members:,} members, {part.non_members:,} other notes; area under the ROC"
        f" curve {format_score(part.auc)}. Calling everyone a member has precision"
        f" {part.precision_of_everyone:.3f}."
    )
    for attack in part.attacks:
        yield (
            f"Calling the nearest {attack.share:.0%} members: precision"
            f" {format_score(attack.precision)}, advantage {_signed(attack.advantage)}."
        )


def _signed(score: Score) -> str:
    """Return a score that may be negative, with its interval."""
    if score.value is None or score.low is None or score.high is None:
        return format_score(score)
    return f"{score.value:+.3f} ({score.low:+.3f} to {score.high:+.3f})"


def report_markdown(report: AuditReport) -> str:
    """Return a report as Markdown, with the ids of the first offending notes."""
    name, release = report.code_system
    lines = [f"# Audit: {'passed' if report.passed else 'failed'}", ""]
    lines += [markdown_text(report.audited.path), ""]
    for line in summary_lines(report):
        lines += [markdown_text(line), ""]
    lines += _table(CHECK_HEAD, check_rows(report))
    lines += ["", "## Details", ""]
    lines += [f"- {markdown_text(line)}" for line in detail_lines(report)]
    failed = [check for check in report.checks if check.passed is False and check.notes]
    for check in failed:
        lines += ["", f"## Notes: {markdown_text(check.title)}", ""]
        lines += [f"- {markdown_text(shown_id(note))}" for note in check.notes[:_SHOWN]]
        lines += _more(len(check.notes))
    if report.leaks is not None and report.leaks.places:
        places = report.leaks.places
        rows = [[shown_id(p.note), p.kind, f"{p.start}:{p.end}"] for p in places[:_SHOWN]]
        lines += ["", "## Places of identifiers of the reference", ""]
        lines += [*_table(["note", "kind", "offsets"], rows), *_more(len(places))]
    diversity = report.diversity
    lines += [
        "",
        f"## Diversity of {diversity.notes:,} notes, cut after {diversity.words} words",
        "",
    ]
    lines += _table(DIVERSITY_HEAD, diversity_rows(diversity))
    if report.chapters:
        smallest = report.settings.smallest_cell
        lines += ["", f"## Notes by chapter of {markdown_text(name)} {markdown_text(release)}", ""]
        lines += [f"Numbers under {smallest} are suppressed.", ""]
        lines += _table(["chapter", "notes", "reference"], _chapter_rows(report))
    return "\n".join(lines) + "\n"


def _chapter_rows(report: AuditReport) -> Iterator[list[str]]:
    def shown(count: int | None) -> str:
        return "suppressed" if count is None else f"{count:,}"

    for row in report.chapters:
        title = f"{row.chapter} {row.title}".strip() or "codes without a chapter"
        yield [
            title,
            shown(row.notes),
            shown(row.reference) if report.reference is not None else "–",
        ]


def _more(count: int) -> list[str]:
    return [] if count <= _SHOWN else ["", f"{count:,} in all; `{JSON_FILE}` lists them."]


def _table(head: Sequence[str], rows: _Rows) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(markdown_text, cells)) + " |"

    return [line(head), "| --- |" + " ---: |" * (len(head) - 1), *map(line, rows)]


def _number(value: float) -> str:
    """Return a count without decimals, and any other number with three."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
