"""How often answers could not be used, and warnings of predictors that have collapsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from cclearn.codes import CodeSystem
from cclearn.evaluation.facts import Aligned, Facts
from cclearn.evaluation.labels import Labels, by_note
from cclearn.evaluation.tables import RatioTable

INVALID = ("header", "retired", "unknown")

_ALWAYS, _SAME, _LEAST = 0.95, 0.9, 10
"""Shares of notes from which on a code, or a set of codes, is that of a collapsed predictor; and how
many notes are needed to say so."""


def add_rates(table: RatioTable, aligned: Aligned) -> None:
    """Add the rates of answered lines that could not be used.

    Of all answered lines: codes that may not be assigned (`invalid`), by status, lines that could not be
    read (`unreadable`), quotes that are not in the note (`ungrounded`), lines that say again what one
    before said (`duplicate`); and the share of notes whose prediction carries a remark (`flagged`).
    """
    answered = np.array(
        [
            float(
                max(len(f.spans), len(f.codes))
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
            [float(f.invalid.get(status, 0)) for f in aligned.predicted],
            answered,
            0,
        )
    invalid = [float(sum(f.invalid.values())) for f in aligned.predicted]
    table.add("invalid_rate", invalid, answered, 0.0)
    ungrounded = [float(f.ungrounded) for f in aligned.predicted]
    table.add("ungrounded_rate", ungrounded, answered, 0.0)
    repeated = [float(f.repeated) for f in aligned.predicted]
    table.add("duplicate_rate", repeated, answered, 0.0)
    table.add(
        "flagged_rate", [float(bool(f.flags)) for f in aligned.predicted], np.ones(len(answered))
    )


def warnings_of(aligned: Aligned, labels: Labels) -> list[str]:
    """Return what a reader must know of a system: missing notes, a collapsed predictor."""
    notes = len(aligned.gold)
    found = []
    if aligned.missing:
        found.append(
            f"{len(aligned.missing)} of {notes} notes have no prediction; they count as coded with"
            " nothing"
        )
    predicted = [facts.codes for facts in aligned.predicted if facts.codes]
    if not predicted:
        found.append("no note has a predicted code")
    elif notes >= _LEAST:
        found += _collapsed(predicted, notes)
    gold, guessed = by_note(labels.gold).sum(), by_note(labels.predicted).sum()
    if gold and guessed > 5 * gold:
        found.append(f"{guessed / gold:.1f} times as many codes are predicted as the gold holds")
    return found


def gold_warnings(gold: Sequence[Facts], system: CodeSystem) -> list[str]:
    """Return what a reader must know of the gold: codes that the release does not allow."""
    strange = Counter(system.status(code) for facts in gold for code in facts.codes)
    strange.pop("valid", None)
    return [
        f"{count} of the gold's codes are {status} in {system.name} {system.release}; no coder bound to"
        " the release can assign them"
        for status, count in sorted(strange.items())
    ]


def _collapsed(predicted: Sequence[tuple[str, ...]], notes: int) -> list[str]:
    found = []
    everywhere = Counter(code for codes in predicted for code in set(codes))
    code, count = everywhere.most_common(1)[0]
    if count >= _ALWAYS * notes:
        found.append(f"{code} is predicted for {count} of {notes} notes")
    sets = Counter(frozenset(codes) for codes in predicted)
    count = sets.most_common(1)[0][1]
    if count >= _SAME * notes:
        found.append(f"{count} of {notes} notes are given the same codes")
    return found
