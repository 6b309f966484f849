"""Training rows, evaluation notes and few-shot examples from reviewed notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import write_rows
from cclearn.review.folder import ReviewFolder
from cclearn.review.order import in_share
from cclearn.review.reviewed import ReviewedNote, opened_logs, reviewed_notes, same_text
from cclearn.runtime.files import atomic_folder, sha256_of_file, write_json

KIND = "review export"

NOTES, PAIRS, EVALUATION = "notes.jsonl", "pairs.jsonl", "evaluation.jsonl"
CALIBRATION, EXAMPLES = "calibration.jsonl", "examples.jsonl"

_CALIBRATION_SHARE = 1 / 3
"""Share of the notes kept apart that are for calibration. The others are for evaluation: a score on the
notes of a calibration would be too good."""

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """The decisions that count for a note.

    Attributes:
        note: Decisions on the note.
        reviewers: Names of all whose decisions they are.
    """

    note: ReviewedNote
    reviewers: tuple[str, ...]


def choose(
    reviewed: Iterable[ReviewedNote], reviewer: str | None
) -> tuple[list[Chosen], Counter[str]]:
    """Return the decisions that count for each note, and the number of notes left out by the reason.

    An adjudication counts before the decisions of others. Without one, several reviewers must agree on
    the codes; the evidence is then that of the first by name.

    Args:
        reviewed: Notes of all reviewers.
        reviewer: Name of the only reviewer whose decisions count. None counts those of all reviewers.
    """
    notes: dict[str, list[ReviewedNote]] = {}
    for note in reviewed:
        if reviewer in (None, note.reviewer):
            notes.setdefault(note.id, []).append(note)
    chosen: list[Chosen] = []
    left_out: Counter[str] = Counter()
    for versions in notes.values():
        finished = sorted(
            (note for note in versions if note.state.done), key=lambda note: note.reviewer
        )
        adjudicated = [note for note in finished if note.is_adjudicated]
        names = tuple(note.reviewer for note in finished)
        if not finished:
            left_out["not finished"] += 1
        elif adjudicated:
            chosen.append(Chosen(adjudicated[-1], names))
        elif len({note.codes for note in finished}) > 1:
            left_out["reviewers disagree (review --adjudicate)"] += 1
        else:
            chosen.append(Chosen(finished[0], names))
    return chosen, left_out


def export(
    folder: ReviewFolder,
    system: CodeSystem,
    out: Path,
    overwrite: bool = False,
    reviewer: str | None = None,
) -> dict[str, int]:
    """Write the reviewed notes for training, evaluation, calibration and prompts.

    notes.jsonl        coded notes for training; rejected codes with their evidence are in `rejected`
    pairs.jsonl        a span pair for each piece of evidence of these notes
    evaluation.jsonl   coded notes that were kept apart, for honest scores
    calibration.jsonl  other notes that were kept apart, for `cclearn calibrate`
    examples.jsonl     short notes with different codes, as examples in prompts
    manifest.json      counts and hashes

    Notes with a deferred code are left out, except for the evidence of their decided codes.

    Args:
        folder: Folder of the review.
        system: Code system of the notes.
        out: Folder to write.
        overwrite: Whether an earlier export is replaced.
        reviewer: Name of the only reviewer whose decisions count. None counts those of all reviewers.

    Returns:
        The number of rows by file, and the number of notes left out by the reason.

    Raises:
        CclearnError: No note is finished, the notes cannot be read, or the folder exists.
    """
    with opened_logs(folder) as logs:
        reviewed = [note for log in logs for note in reviewed_notes(log)]
        hashes = {log.reviewer: sha256_of_file(log.path) for log in logs}
    if not reviewed:
        raise CclearnError(f"export (folder = {folder.path}): no note was reviewed.")
    chosen, left_out = choose(reviewed, reviewer)
    corpus = folder.corpus()
    settings = folder.settings
    files: dict[str, list[CodedNote]] = {NOTES: [], EVALUATION: [], CALIBRATION: []}
    pairs: list[SpanPair] = []
    for one in sorted(chosen, key=lambda one: one.note.id):
        note = same_text(corpus, one.note)
        if note is None:
            left_out["missing, or the text has changed"] += 1
            continue
        coded = one.note.coded(note, system, one.reviewers)
        is_whole = not any(e.verdict == "defer" for e in one.note.state.entries.values())
        if in_share(note.id, settings.kept_apart, "kept apart", settings.seed):
            is_calibration = in_share(note.id, _CALIBRATION_SHARE, "calibration", settings.seed)
            name = CALIBRATION if is_calibration else EVALUATION
        else:
            name = NOTES
            pairs += _pairs(
                coded, one.note.opened.reviewer if reviewer else one.reviewers[-1], system
            )
        if is_whole:
            files[name].append(coded)
        else:
            left_out["a code is deferred"] += 1
    examples = _examples(files[NOTES])
    counts = {name: len(rows) for name, rows in files.items()}
    counts |= {PAIRS: len(pairs), EXAMPLES: len(examples)}
    with atomic_folder(out, overwrite, KIND) as new:
        for name, rows in files.items():
            write_rows(new / name, rows)
        write_rows(new / PAIRS, pairs)
        write_rows(new / EXAMPLES, examples)
        manifest = {
            "corpus_sha256": corpus.sha256,
            "code_system": {"name": system.name, "release": system.release},
            "logs_sha256": hashes,
            "settings": settings.model_dump(),
            "reviewer": reviewer,
            "rows": counts,
            "left_out": dict(sorted(left_out.items())),
        }
        write_json(new / "manifest.json", manifest)
    return counts | dict(sorted(left_out.items()))


def _pairs(coded: CodedNote, reviewer: str, system: CodeSystem) -> Iterator[SpanPair]:
    for assigned in coded.codes:
        for piece in assigned.evidence:
            yield SpanPair(
                id=f"{coded.id} {assigned.code} {piece.start}-{piece.end}",
                text=piece.text,
                code=assigned.code,
                system=assigned.system,
                release=system.release,
                grade="gold",
                source=f"review/{reviewer}",
                origin=coded.origin,
            )


def _examples(notes: Sequence[CodedNote]) -> list[CodedNote]:
    """Return short notes whose codes all have evidence, each with the most new codes for its length."""
    left = [note for note in notes if note.codes and all(code.evidence for code in note.codes)]
    examples: list[CodedNote] = []
    known: set[str] = set()
    while left and len(examples) < _EXAMPLES:
        values = [len({code.code for code in n.codes} - known) / (len(n.text) + 1) for n in left]
        best = left.pop(values.index(max(values)))
        examples.append(best)
        known |= {code.code for code in best.codes}
    return examples
