"""The notes with the lowest scores, for a reader who may see the notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cclearn.bulk.folder import read_coded
from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote


def worst_notes(
    gold: Path, predicted: Mapping[str, Path], system: CodeSystem, count: int
) -> tuple[list[CodedNote], dict[str, dict[str, CodedNote]]]:
    """Return the notes with the lowest mean F1 over all systems, the worst first.

    Args:
        gold: File of the gold notes, or folder of a run.
        predicted: Files of the predicted notes or folders of runs, by system.
        system: The code system.
        count: Number of notes to return.

    Returns:
        The gold notes, and the predicted notes by system and id. A note without a prediction has no
        codes.
    """
    gold_codes = {n.id: {a.code for a in n.ranked} for n in read_coded(gold, system)}
    total = dict.fromkeys(gold_codes, 0.0)
    for path in predicted.values():
        found = {n.id: {a.code for a in n.ranked} for n in read_coded(path, system)}
        for identifier, right in gold_codes.items():
            codes = found.get(identifier, set())
            size = len(codes) + len(right)
            total[identifier] += 2 * len(codes & right) / size if size else 1.0
    order = sorted(total, key=lambda identifier: (total[identifier], identifier))[:count]
    shown = {note.id: note for note in read_coded(gold, system) if note.id in set(order)}
    answers = {}
    for name, path in predicted.items():
        answers[name] = {
            identifier: CodedNote(id=identifier, text=note.text, origin=note.origin)
            for identifier, note in shown.items()
        }
        answers[name] |= {n.id: n for n in read_coded(path, system) if n.id in shown}
    return [shown[identifier] for identifier in order], answers
