"""Statistics of a review: time, decisions, and how good the proposals were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from cclearn.review.agreement import agreements
from cclearn.review.events import Verdict
from cclearn.review.folder import ReviewFolder
from cclearn.review.order import in_share
from cclearn.review.reviewed import ReviewedNote, opened_logs, reviewed_notes

_VERDICTS: tuple[Verdict, ...] = ("accept", "change", "reject", "insufficient", "defer")


def review_stats(folder: ReviewFolder) -> dict[str, Any]:
    """Return the statistics of a review.

    Returns:
        `reviewers`: a row for each reviewer and coder (`group_stats`), with `shown` and `not_shown` for
        the notes with and without proposals, and `kept_apart` for those of both that are kept apart.
        `adjudicated`: number of adjudicated notes. `agreement`: a row for each pair of reviewers.

    Raises:
        DataError: A log cannot be read.
    """
    with opened_logs(folder) as logs:
        reviewed = [note for log in logs for note in reviewed_notes(log)]
    settings = folder.settings
    groups: dict[tuple[str, str, str], list[ReviewedNote]] = {}
    for note in reviewed:
        if note.is_adjudicated:
            continue
        opened = note.opened
        groups.setdefault((note.reviewer, opened.model, opened.model_sha256), []).append(note)
    rows = []
    for (reviewer, model, digest), notes in sorted(groups.items()):
        finished = [note for note in notes if note.state.done]
        apart = [
            note
            for note in finished
            if in_share(note.id, settings.kept_apart, "kept apart", settings.seed)
        ]
        rows.append(
            {
                "reviewer": reviewer,
                "model": model,
                "model_sha256": digest,
                "opened": len(notes),
                "shown": group_stats([note for note in finished if note.opened.shown]),
                "not_shown": group_stats([note for note in finished if not note.opened.shown]),
                "kept_apart": group_stats(apart),
            }
        )
    return {
        "reviewers": rows,
        "adjudicated": sum(note.is_adjudicated and note.state.done for note in reviewed),
        "agreement": [agreement._asdict() for agreement in agreements(reviewed)],
    }


def group_stats(notes: Sequence[ReviewedNote]) -> dict[str, Any]:
    """Return the statistics of finished notes.

    Returns:
        `notes`: their number. `median_minutes`: median of the minutes per note; None without notes.
        `decisions`: number of proposals by the decision on them, which are known only where proposals
        were shown. `accepted_share`: share of the shown proposals that were accepted unchanged. `added`:
        number of codes that the reviewer added. `evidence_kept`: share of the accepted proposals whose
        evidence was not changed. `precision`, `recall` and `f1`: micro-averaged scores of the proposed
        codes against the codes of the reviewer, also where they were not shown, without codes that the
        reviewer has deferred or found insufficiently documented. Shares and scores are None where they
        are not defined.
    """
    decisions: Counter[str] = Counter()
    added = kept = 0
    for note in notes:
        proposed = {entry.key: entry for entry in note.opened.proposed}
        for entry in note.state.entries.values():
            if entry.proposed is None:
                added += entry.is_assigned
            else:
                decisions[entry.verdict] += 1
                kept += entry.verdict == "accept" and entry.evidence == proposed[entry.key].evidence
    precision, recall, f1 = _scores(notes)
    total = sum(decisions.values())
    return {
        "notes": len(notes),
        "median_minutes": median(note.state.seconds / 60 for note in notes) if notes else None,
        "decisions": {verdict: decisions[verdict] for verdict in _VERDICTS},
        "accepted_share": decisions["accept"] / total if total else None,
        "added": added,
        "evidence_kept": kept / decisions["accept"] if decisions["accept"] else None,
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def _scores(notes: Iterable[ReviewedNote]) -> tuple[float | None, float | None, float | None]:
    right = proposed = assigned = 0
    for note in notes:
        codes = {entry.code for entry in note.opened.proposed} - note.unclear
        right += len(codes & note.codes)
        proposed += len(codes)
        assigned += len(note.codes)
    total = proposed + assigned
    return (
        right / proposed if proposed else None,
        right / assigned if assigned else None,
        2 * right / total if total else None,
    )
