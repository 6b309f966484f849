"""Training rows, evaluation notes and few-shot examples from reviewed notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, shown_id
from cclearn.notes import AssignedCode, CodedNote, SpanPair
from cclearn.notes.contract import INSUFFICIENT, Review
from cclearn.notes.jsonl import write_rows
from cclearn.review.events import Entry
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
        decided: Decisions of the reviewer whose evidence is used.
        reviewers: Names of all reviewers with these codes. One who adjudicated comes first.
        rejected: Rejected proposals by code: those that every reviewer has rejected.
        insufficient: Proposals by code that may apply, and that the note does not document.
        has_deferred: Whether a code is deferred.
    """

    decided: ReviewedNote
    reviewers: tuple[str, ...]
    rejected: Mapping[str, Entry]
    insufficient: Mapping[str, Entry]
    has_deferred: bool

    @classmethod
    def of(cls, versions: Sequence[ReviewedNote]) -> Chosen | None:
        """Return the decisions that count for a note, or None if reviewers disagree.

        An adjudication counts before the decisions of others. Without one, all must have the same codes.

        Args:
            versions: The note as each reviewer has finished it, at least one, all with the same text.
        """
        ordered = sorted(versions, key=lambda note: note.reviewer)
        adjudicated = [note for note in ordered if note.is_adjudicated]
        adjudicated.sort(key=lambda note: note.last.time)
        counting = adjudicated[-1:] or ordered  # The latest adjudication counts.
        first = counting[0]
        if any(note.codes != first.codes for note in counting):
            return None
        others = [note for note in ordered if note is not first and note.codes == first.codes]
        insufficient = {
            code: entry for note in counting for code, entry in note.refused("insufficient").items()
        }
        rejected = {
            code: entry
            for code, entry in first.refused("reject").items()
            if all(code in note.refused("reject") for note in counting)
        }
        names = (first.reviewer, *(note.reviewer for note in others))
        has_deferred = any(note.has_deferred for note in counting)
        return cls(first, names, rejected, insufficient, has_deferred)

    def coded(self, note: CodedNote, system: CodeSystem) -> CodedNote:
        """Return the note with the codes of the review, in their sequence.

        Args:
            note: The note of the corpus.
            system: Code system in which codes are described.
        """

        def assigned(entry: Entry, code: str, **fields: object) -> AssignedCode:
            description = system.description(code) if code in system else ""
            found = entry.model_copy(update={"code": code}).assigned(note.text, description)
            return found.model_copy(update={"status": system.status(code), **fields})

        decided = self.decided
        rejected = [
            *(assigned(entry, code) for code, entry in self.rejected.items()),
            *(
                assigned(entry, code, flags=[INSUFFICIENT])
                for code, entry in self.insufficient.items()
                if code not in self.rejected
            ),
        ]
        return CodedNote(
            id=note.id,
            text=note.text,
            origin=note.origin,
            codes=[assigned(entry, entry.code) for entry in decided.state.assigned],
            rejected=rejected,
            review=Review(
                reviewers=list(self.reviewers),
                time=decided.last.time,
                model=decided.opened.model,
                shown=decided.opened.shown,
            ),
        )


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
        CclearnError: No note is finished, there is no such reviewer, the notes cannot be read, or the
            folder exists.
    """
    with opened_logs(folder) as logs:
        reviewed = [
            note for log in logs if reviewer in (None, log.reviewer) for note in reviewed_notes(log)
        ]
        hashes = {log.reviewer: sha256_of_file(log.path) for log in logs if log.notes}
    if reviewer is not None and reviewer not in hashes:
        raise CclearnError(
            f"export (reviewer = {shown_id(reviewer)}): there is no such reviewer. The reviewers are:"
            f" {', '.join(hashes) or 'none'}."
        )
    if not any(note.state.done for note in reviewed):
        raise CclearnError(f"export (folder = {folder.path}): no note was finished.")
    index = folder.reviewed_index()
    settings = folder.settings
    left_out: Counter[str] = Counter()
    files: dict[str, list[CodedNote]] = {NOTES: [], EVALUATION: [], CALIBRATION: []}
    pairs: list[SpanPair] = []
    for versions in _by_id(reviewed):
        finished = [version for version in versions if version.state.done]
        texts = [(version, same_text(index, version)) for version in finished]
        current = [version for version, found in texts if found is not None]
        note = next((found for _, found in texts if found is not None), None)
        chosen = Chosen.of(current) if current else None
        if not finished:
            left_out["not finished"] += 1
        elif note is None:
            left_out["missing, or the text has changed"] += 1
        elif chosen is None:
            left_out["reviewers disagree (review --adjudicate)"] += 1
        else:
            coded = chosen.coded(note, system)
            is_apart = in_share(note.id, settings.kept_apart, "kept apart", settings.seed)
            is_calibration = in_share(note.id, _CALIBRATION_SHARE, "calibration", settings.seed)
            if not is_apart:
                pairs += _pairs(coded, chosen.decided.reviewer, system)
            if chosen.has_deferred:
                left_out["a code is deferred"] += 1
            elif is_apart:
                files[CALIBRATION if is_calibration else EVALUATION].append(coded)
            else:
                files[NOTES].append(coded)
    examples = _examples(files[NOTES])
    counts = {name: len(rows) for name, rows in files.items()}
    counts |= {PAIRS: len(pairs), EXAMPLES: len(examples)}
    with atomic_folder(out, overwrite, KIND) as new:
        for name, rows in files.items():
            write_rows(new / name, rows)
        write_rows(new / PAIRS, pairs)
        write_rows(new / EXAMPLES, examples)
        manifest = {
            "corpus_sha256": index.sha256,
            "code_system": {"name": system.name, "release": system.release},
            "logs_sha256": hashes,
            "settings": settings.model_dump(),
            "reviewer": reviewer,
            "rows": counts,
            "left_out": dict(sorted(left_out.items())),
        }
        write_json(new / "manifest.json", manifest)
    return counts | dict(sorted(left_out.items()))


def _by_id(reviewed: Iterable[ReviewedNote]) -> list[list[ReviewedNote]]:
    """Return the versions of each note, in the order of the ids."""
    notes: dict[str, list[ReviewedNote]] = {}
    for note in reviewed:
        notes.setdefault(note.id, []).append(note)
    return [notes[identifier] for identifier in sorted(notes)]


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
