"""Scoring files of coded notes: what `cclearn evaluate` and `cclearn compare` do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.evaluation import Comparison, Settings, evaluate
from cclearn.evaluation.report import introduction, write_reports
from cclearn.evaluation.results import result_of
from cclearn.evaluation.worst import worst_notes
from cclearn.files import write_json
from cclearn.notes.jsonl import read_coded_notes


def score_files(
    gold: Path,
    predicted: list[Path],
    system: CodeSystem,
    out: Path | None = None,
    train: Path | None = None,
    draws: int = 1_000,
    seed: int = 0,
    show: int = 0,
    compare: bool = False,
) -> Comparison:
    """Score files of predictions, named by their stems, or by their paths where stems are alike.

    Args:
        gold: The coded notes that are right.
        predicted: A file a system.
        system: The code system.
        out: Gets `metrics.json`, `report.html` and `report.md`.
        train: The coded notes of the training, for scores by frequency.
        draws: Of the bootstrap.
        seed: Of the draws.
        show: How many of the worst notes the page shows, with their text.
        compare: Whether each pair of systems is compared.

    Raises:
        CclearnError: A file is not what it should be, or predictions do not fit the gold.
    """
    stems = [path.stem for path in predicted]
    files = {path.stem if stems.count(path.stem) == 1 else str(path): path for path in predicted}
    counts = None
    if train is not None:
        counts = Counter(a.code for note in read_coded_notes(train, system) for a in note.codes)
    settings = Settings(draws=draws, seed=seed, training=counts)
    comparison = evaluate(
        read_coded_notes(gold, system),
        {name: read_coded_notes(path, system) for name, path in files.items()},
        system,
        settings,
        compare,
    )
    if out is not None:
        read = {"gold": gold, **files, **({"train": train} if train is not None else {})}
        result = result_of(comparison, system, settings, read)
        write_json(out / "metrics.json", result)
        worst = worst_notes(gold, files, system, show) if show else ([], {})
        write_reports(out, f"Evaluation on {gold.name}", comparison, introduction(result), *worst)
    return comparison
