"""Scoring files: what `cclearn evaluate`, `cclearn compare` and `cclearn spans` do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding import CoderSettings, load_coder
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.registry import ModelSpec
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.evaluation import Comparison, Settings, evaluate
from cclearn.evaluation.metrics.spans import evaluate_spans
from cclearn.evaluation.report.pages import introduction, write_reports
from cclearn.evaluation.report.worst_notes import worst_notes
from cclearn.evaluation.results import result_of, write_result
from cclearn.notes import Origin
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.runtime.files import atomic_file, atomic_folder, sha256_of_text
from cclearn.runtime.progress import track

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
    overwrite: bool = False,
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
        overwrite: Whether the folder of an earlier evaluation may be replaced.

    Raises:
        CclearnError: A file is not what it should be, or predictions do not fit the gold.
    """
    _refuse_unreadable([gold, *predicted, *([] if train is None else [train])])
    stems = [path.stem for path in predicted]
    files = {
        path.stem if stems.count(path.stem) == 1 and path.stem not in _ROLES else str(path): path
        for path in predicted
    }
    _refuse_twice(predicted)
    with _folder(out, overwrite) as folder:
        settings = Settings(draws=draws, seed=seed, training=_training(train, system))
        comparison = evaluate(
            read_coded_notes(gold, system),
            {name: read_coded_notes(path, system) for name, path in files.items()},
            system,
            settings,
            compare,
        )
        if folder is not None:
            read = {"gold": gold, **files, **({"train": train} if train is not None else {})}
            result = result_of(comparison, system, settings, read)
            write_result(folder / "metrics.json", result)
            worst = worst_notes(gold, files, system, show) if show else ([], {})
            title = f"{'Comparison' if compare else 'Evaluation'} on {gold.name}"
            write_reports(folder, title, comparison, introduction(result), *worst)
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
    engine: EngineSettings | None = None,
    loop: LoopSettings | None = None,
    overwrite: bool = False,
) -> Comparison:
    """Let models code evidence spans, and score them.

    Args:
        pairs: Span pairs.
        models: As `CoderSettings` takes them.
        system: The code system.
        out: Gets `metrics.json`, `report.html`, `report.md` and the answers, `spans/MODEL.jsonl`.
        train: Coded notes, whose codes are the seen ones.
        limit: How many spans are coded, drawn by their ids; all of them where it is None.
        draws: Of the bootstrap.
        seed: Of the draws.
        engine: Settings of the models' engines.
        loop: Settings of `span_loop`, whose assigner then codes the spans; None for `single_pass`.
        overwrite: Whether the folder of an earlier evaluation may be replaced.

    Raises:
        CclearnError: A file is not what it should be, or a model cannot be loaded.
    """
    names = model_names(models)
    _refuse_unreadable([pairs, *([] if train is None else [train])])
    gold = sorted(read_span_pairs(pairs, system), key=lambda pair: sha256_of_text(pair.id))[:limit]
    settings = Settings(draws=draws, seed=seed, training=_training(train, system))
    origin: Origin = "restricted"
    if all(pair.origin != "restricted" for pair in gold):
        origin = "public"
    answers: dict[str, list[list[str]]] = {}
    warnings: list[str] = []
    with _folder(out, overwrite) as folder:
        for model, name in names.items():
            coder_settings = CoderSettings(
                model=model, engine=engine or EngineSettings(), loop=loop, calibration="off"
            )
            coder = load_coder(coder_settings, system)
            spans = track((pair.text for pair in gold), f"coding with {name}", len(gold))
            answers[name] = list(coder.code_spans(spans, origin))
            warnings += [
                f"{name}: {count} of {len(gold)} spans have no answer ({problem}), and count as wrong"
                for problem, count in sorted(coder.usage.problems.items())
            ]
        comparison = evaluate_spans(gold, answers, system, settings)
        comparison = replace(comparison, warnings=(*comparison.warnings, *warnings))
        if folder is not None:
            for name, codes in answers.items():
                with atomic_file(folder / "spans" / f"{name}.jsonl") as stream:
                    for pair, found in zip(gold, codes, strict=True):
                        line = {"id": pair.id, "code": pair.code, "answered": found}
                        stream.write(json.dumps(line).encode() + b"\n")
            read = {"gold": pairs, **({"train": train} if train is not None else {})}
            result = result_of(comparison, system, settings, read, limit=limit, models=models)
            write_result(folder / "metrics.json", result)
            told = introduction(result, unit="spans")
            write_reports(folder, f"Spans of {pairs.name}", comparison, told)
    return comparison


def model_names(models: Sequence[str]) -> dict[str, str]:
    """Return a short name for each model, fit for a file.

    Raises:
        ConfigurationError: Names are alike, or models are missing; all of it is told at once.
    """
    names: dict[str, str] = {}
    problems = []
    for model in models:
        try:
            spec = ModelSpec.parse(model)
            spec.refuse_missing()
            name = spec.short_name
        except ConfigurationError as error:
            problems += error.problems
            continue
        if name in (*names.values(), *_ROLES):
            problems.append(
                f"model (model = {model}): {name} stands twice or is kept for the files of that role."
                " Name one, or rename its folder."
            )
        names[model] = name
    if problems:
        raise ConfigurationError(problems)
    return names


def _training(path: Path | None, system: CodeSystem) -> Counter[str] | None:
    """Count how many coded notes of a file hold each code."""
    if path is None:
        return None
    return Counter(a.code for note in read_coded_notes(path, system) for a in note.codes)


def _folder(out: Path | None, overwrite: bool) -> AbstractContextManager[Path | None]:
    return nullcontext() if out is None else atomic_folder(out, overwrite, "evaluation")


def _refuse_unreadable(paths: Sequence[Path]) -> None:
    """Raise ConfigurationError for every file that is not there."""
    missing = [path for path in paths if not path.exists() or path.is_dir()]
    if missing:
        raise ConfigurationError(
            [
                f"{path}: {'it is a folder' if path.is_dir() else 'no such file'}. Name a file."
                for path in missing
            ]
        )


def _refuse_twice(predicted: Sequence[Path]) -> None:
    places = [path.resolve() for path in predicted]
    twice = [
        str(path) for path, place in zip(predicted, places, strict=True) if places.count(place) > 1
    ]
    if twice:
        raise ConfigurationError(
            [f"pred ({', '.join(twice)}): one file stands twice. Name each system's own."]
        )
