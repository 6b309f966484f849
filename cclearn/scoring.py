"""Scoring files: what `cclearn evaluate`, `cclearn compare` and `cclearn spans` do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.errors import ConfigurationError
from cclearn.evaluation import Comparison, Settings, evaluate
from cclearn.evaluation.report import introduction, write_reports
from cclearn.evaluation.results import result_of, write_result
from cclearn.evaluation.span_scores import evaluate_spans
from cclearn.evaluation.worst import worst_notes
from cclearn.files import atomic_file, sha256_of_text
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.progress import track

_ROLES = ("gold", "train")
"""Names in a result's list of files that no system may have."""


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
    files = {
        path.stem if stems.count(path.stem) == 1 and path.stem not in _ROLES else str(path): path
        for path in predicted
    }
    settings = Settings(draws=draws, seed=seed, training=_training(train, system))
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
        write_result(out / "metrics.json", result)
        worst = worst_notes(gold, files, system, show) if show else ([], {})
        write_reports(out, f"Evaluation on {gold.name}", comparison, introduction(result), *worst)
    return comparison


def score_spans(
    pairs: Path,
    models: list[str],
    system: CodeSystem,
    out: Path | None = None,
    train: Path | None = None,
    limit: int | None = None,
    draws: int = 1_000,
    seed: int = 0,
    batch_size: int = 32,
) -> Comparison:
    """Let models code evidence spans, and score them.

    Args:
        pairs: Span pairs.
        models: As `Coder.named` takes them.
        system: The code system.
        out: Gets `metrics.json`, `report.html`, `report.md` and the answers, `spans/MODEL.jsonl`.
        train: Coded notes, whose codes are the seen ones.
        limit: How many spans are coded, drawn by their ids; all of them where it is None.
        draws: Of the bootstrap.
        seed: Of the draws.
        batch_size: How many spans are decoded together.

    Raises:
        CclearnError: A file is not what it should be, or a model cannot be loaded.
    """
    names = model_names(models)
    gold = sorted(read_span_pairs(pairs, system), key=lambda pair: sha256_of_text(pair.id))[:limit]
    settings = Settings(draws=draws, seed=seed, training=_training(train, system))
    answers: dict[str, list[list[str]]] = {}
    for model, name in names.items():
        coder = Coder.named(model, system, batch_size=batch_size)
        spans = track((pair.text for pair in gold), f"coding with {name}", len(gold))
        answers[name] = list(coder.code_spans(spans))
    comparison = evaluate_spans(gold, answers, system, settings)
    if out is not None:
        for name, codes in answers.items():
            with atomic_file(out / "spans" / f"{name}.jsonl") as stream:
                for pair, found in zip(gold, codes, strict=True):
                    line = {"id": pair.id, "code": pair.code, "answered": found}
                    stream.write(json.dumps(line).encode() + b"\n")
        read = {"gold": pairs, **({"train": train} if train is not None else {})}
        result = result_of(comparison, system, settings, read, limit=limit, models=models)
        write_result(out / "metrics.json", result)
        write_reports(out, f"Spans of {pairs.name}", comparison, introduction(result))
    return comparison


def model_names(models: Sequence[str]) -> dict[str, str]:
    """Return a short name for each model, fit for a file. Raises ConfigurationError."""
    names: dict[str, str] = {}
    for model in models:
        name = Path(model).name or model
        if name in (*names.values(), *_ROLES):
            raise ConfigurationError(
                [
                    f"model (model = {model}): {name} stands twice or is kept for"
                    " the files of that role. Name one, or rename its folder."
                ]
            )
        names[model] = name
    return names


def _training(path: Path | None, system: CodeSystem) -> Counter[str] | None:
    """Count how many coded notes of a file hold each code."""
    if path is None:
        return None
    return Counter(a.code for note in read_coded_notes(path, system) for a in note.codes)
