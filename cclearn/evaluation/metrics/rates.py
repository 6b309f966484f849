"""How often answers could not be used, and warnings of predictors that have collapsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from cclearn.codes import CodeSystem
from cclearn.evaluation.metrics.labels import Labels, by_note
from cclearn.evaluation.metrics.tables import RatioTable
from cclearn.evaluation.scored_notes import Aligned, Facts

INVALID = ("header", "retired", "unknown")

_ALWAYS, _SAME, _LEAST = 0.95, 0.9, 10
"""Shares of notes from which on a code, or a set of codes, is that of a collapsed predictor; and how
many notes are needed to say so."""


def add_rates(table: RatioTable, aligned: Aligned, system: CodeSystem) -> None:
    """Add the rates of answered lines that could not be used.

    Of all answered lines: codes that may not be assigned (`invalid`), by their status in the release,
    whether the system set them aside or assigned them, lines that could not be
    read (`unreadable`), quotes that are not in the note (`ungrounded`), lines that say again what one
    before said (`duplicate`); and the share of notes whose prediction carries a remark (`flagged`).
    """
    status_of = cache(system.status)
    invalid_of = [_invalid(facts, status_of) for facts in aligned.predicted]
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
            [float(invalid[status]) for invalid in invalid_of],
            answered,
            0,
        )
    table.add("invalid_rate", [float(each.total()) for each in invalid_of], answered, 0.0)
    ungrounded = [float(f.ungrounded) for f in aligned.predicted]
    table.add("ungrounded_rate", ungrounded, answered, 0.0)
    repeated = [float(f.repeated) for f in aligned.predicted]
    table.add("duplicate_rate", repeated, answered, 0.0)
    table.add(
        "flagged_rate", [float(bool(f.flags)) for f in aligned.predicted], np.ones(len(answered))
    )


def add_decision_scores(table: RatioTable, aligned: Aligned) -> None:
    """Add, for each decision, the share of codes that it concerns and the share of these that is right,
    NaN where there are none. Rejected codes count here and nowhere else."""
    decided = [float(len(facts.decisions)) for facts in aligned.predicted]
    for decision in ("accept", "review", "reject"):
        chosen = [
            {code for code, made in facts.decisions.items() if made == decision}
            for facts in aligned.predicted
        ]
        counts = [float(len(codes)) for codes in chosen]
        right = [
            float(len(codes.intersection(gold.codes)))
            for gold, codes in zip(aligned.gold, chosen, strict=True)
        ]
        table.add(f"decision/{decision}/share", counts, decided)
        table.add(f"decision/{decision}/right", right, counts)


def _invalid(facts: Facts, status_of: Callable[[str], str]) -> Counter[str]:
    assigned = Counter(map(status_of, facts.codes))
    del assigned["valid"]
    return Counter(facts.invalid) + assigned


def warnings_of(aligned: Aligned, labels: Labels, system: CodeSystem) -> list[str]:
    """Return what a reader must know of a system: notes that were not coded, codes that the release
    does not allow, a collapsed predictor."""
    notes = len(aligned.gold)
    found = []
    if aligned.missing:
        found.append(
            f"{len(aligned.missing)} of {notes} notes have no prediction; they count as coded with"
            " nothing"
        )
    flags = Counter(flag for facts in aligned.predicted for flag in facts.flags)
    found += [
        f"{count} of {notes} notes are flagged {flag}" for flag, count in sorted(flags.items())
    ]
    status_of = cache(system.status)
    strange = Counter(status_of(code) for facts in aligned.predicted for code in facts.codes)
    del strange["valid"]
    found += [
        f"{count} of the assigned codes are {status} in {system.name} {system.release}"
        for status, count in sorted(strange.items())
    ]
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
    everywhere = Counter(code for codes in predicted for code in dict.fromkeys(codes))
    # Of codes that are predicted equally often, the first in alphabetical order is named.
    code, count = min(everywhere.items(), key=lambda each: (-each[1], each[0]))
    if count >= _ALWAYS * notes:
        found.append(f"{code} is predicted for {count} of {notes} notes")
    sets = Counter(frozenset(codes) for codes in predicted)
    count = sets.most_common(1)[0][1]
    if count >= _SAME * notes:
        found.append(f"{count} of {notes} notes are given the same codes")
    return found
