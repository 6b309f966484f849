"""Rates of unusable predictions, and warnings about predictions that cannot be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from cclearn.codes import CodeSystem
from cclearn.errors import shown_id
from cclearn.evaluation.metrics.labels import Labels, count_by_note
from cclearn.evaluation.metrics.score_tables import RatioTable
from cclearn.evaluation.scored_notes import AlignedNotes, ScoredNote

INVALID = ("header", "retired", "unknown")

_NAMED = 3
"""Number of codes of each status that a warning names."""

_ALWAYS, _SAME, _LEAST = 0.95, 0.9, 10
"""A predictor has collapsed if it predicts one code for the first share of notes, or one set of codes
for the second share. The third number is the minimum number of notes."""


def add_rates(table: RatioTable, aligned: AlignedNotes, system: CodeSystem) -> None:
    """Add the rates of predicted lines that cannot be used.

    Shares of all predicted lines: codes that may not be assigned (`invalid`), by their status in the
    release; unreadable lines (`unreadable`); quotes that do not occur in the note (`ungrounded`); and
    lines that repeat an earlier line (`duplicate`). `flagged` is the share of notes with a flag,
    apart from suggestions for the provider.
    """
    status_of = cache(system.status)
    invalid_of = [_invalid(note, status_of) for note in aligned.predicted]
    answered = np.array(
        [
            float(
                len(f.spans)
                + len(set(f.codes) - f.supported)  # Codes without a quote.
                + sum(f.invalid.values())
                + f.ungrounded
                + f.repeated
            )
            for f in aligned.predicted
        ]
    )
    for status in (*INVALID, "unreadable"):
        table.add(
            f"{status}_rate",
            [float(invalid[status]) for invalid in invalid_of],
            answered,
            0,
        )
    table.add("invalid_rate", [float(invalid.total()) for invalid in invalid_of], answered, 0.0)
    ungrounded = [float(f.ungrounded) for f in aligned.predicted]
    table.add("ungrounded_rate", ungrounded, answered, 0.0)
    repeated = [float(f.repeated) for f in aligned.predicted]
    table.add("duplicate_rate", repeated, answered, 0.0)
    table.add(
        "flagged_rate", [float(bool(f.flags)) for f in aligned.predicted], np.ones(len(answered))
    )


def add_decision_scores(table: RatioTable, aligned: AlignedNotes) -> None:
    """Add the share of codes with each decision, and the share of them that is correct.

    The latter is NaN if no code has the decision. Rejected codes count for these scores only.
    """
    total = [float(len(note.decisions)) for note in aligned.predicted]
    for decision in ("accept", "review", "reject"):
        chosen = [
            {code for code, decided in note.decisions.items() if decided == decision}
            for note in aligned.predicted
        ]
        counts = [float(len(codes)) for codes in chosen]
        correct = [
            float(len(codes.intersection(gold.codes)))
            for gold, codes in zip(aligned.gold, chosen, strict=True)
        ]
        table.add(f"decision/{decision}/share", counts, total)
        table.add(f"decision/{decision}/right", correct, counts)


def _invalid(note: ScoredNote, status_of: Callable[[str], str]) -> Counter[str]:
    assigned = Counter(map(status_of, note.codes))
    del assigned["valid"]
    return Counter(note.invalid) + assigned


def warnings_of(aligned: AlignedNotes, labels: Labels, system: CodeSystem) -> list[str]:
    """Return what a reader must know about the predictions of a system.

    There are warnings about notes without a prediction, flags, codes that the release does not allow,
    and predictors that have collapsed.
    """
    notes = len(aligned.gold)
    found = []
    if aligned.missing:
        found.append(
            f"{len(aligned.missing)} of {notes} notes have no prediction; they count as coded with"
            " nothing"
        )
    flags = Counter(flag for note in aligned.predicted for flag in note.flags)
    found += [
        f"{count} of {notes} notes are flagged {flag}" for flag, count in sorted(flags.items())
    ]
    status_of = cache(system.status)
    not_valid = Counter(status_of(code) for note in aligned.predicted for code in note.codes)
    del not_valid["valid"]
    found += [
        f"{count} of the assigned codes are {status} in {system.name} {system.release}"
        for status, count in sorted(not_valid.items())
    ]
    predicted = [note.codes for note in aligned.predicted if note.codes]
    if not predicted:
        found.append("no note has a predicted code")
    elif notes >= _LEAST:
        found += _collapsed(predicted, notes)
    gold, total = count_by_note(labels.gold).sum(), count_by_note(labels.predicted).sum()
    if gold and total > 5 * gold:
        found.append(f"{total / gold:.1f} times as many codes are predicted as the gold contains")
    return found


def gold_warnings(gold: Sequence[ScoredNote], system: CodeSystem) -> list[str]:
    """Return what a reader must know about the gold notes: codes that the release does not allow."""
    not_valid: dict[str, Counter[str]] = {}
    for code in (code for note in gold for code in note.codes):
        status = system.status(code)
        if status != "valid":
            not_valid.setdefault(status, Counter())[code] += 1
    found = []
    for kind, codes in sorted(not_valid.items()):
        count = codes.total()
        first = sorted(codes, key=lambda code: (-codes[code], code))[:_NAMED]
        shown = ", ".join(map(shown_id, first)) + (", …" if len(codes) > _NAMED else "")
        found.append(
            f"{count} of the gold's codes {'is' if count == 1 else 'are'} {kind} in {system.name}"
            f" {system.release} ({shown}); no coder bound to the release can assign"
            f" {'it' if count == 1 else 'them'}"
        )
    return found


def _collapsed(predicted: Sequence[tuple[str, ...]], notes: int) -> list[str]:
    found = []
    frequencies = Counter(code for codes in predicted for code in dict.fromkeys(codes))
    # Among codes with the same frequency, the alphabetically first one is named.
    code, count = min(frequencies.items(), key=lambda entry: (-entry[1], entry[0]))
    if count >= _ALWAYS * notes:
        found.append(f"{code} is predicted for {count} of {notes} notes")
    sets = Counter(frozenset(codes) for codes in predicted)
    count = sets.most_common(1)[0][1]
    if count >= _SAME * notes:
        found.append(f"{count} of {notes} notes are given the same codes")
    return found
