"""Score files of predictions, and models on spans: `cclearn evaluate`, `compare` and `spans`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from cclearn.bulk.folder import read_coded
from cclearn.codes import CodeSystem
from cclearn.codes.editions import PACKAGED, EditionMap
from cclearn.coding import CoderSettings, load_coder
from cclearn.coding.labels.settings import LabelSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.registry import ModelSpec
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.metrics.spans import evaluate_spans
from cclearn.evaluation.report.content import Report, introduction
from cclearn.evaluation.report.pages import write_report
from cclearn.evaluation.report.worst_notes import worst_notes
from cclearn.evaluation.results import Scored, result_of, write_result
from cclearn.model_manifest import scores_labels
from cclearn.notes import Origin, SpanPair
from cclearn.notes.jsonl import read_span_pairs
from cclearn.runtime.files import atomic_file, atomic_folder, sha256_of_text
from cclearn.runtime.progress import track

_ROLES = ("gold", "train", "edition_map")
"""Roles in a result's list of files, which no system can have as its name."""


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """Options of scoring.

    Attributes:
        out: Folder that receives `metrics.json`, `scores.csv` and the report; None writes no files.
        train: Coded notes of the training, for scores by training frequency.
        draws: Number of bootstrap draws.
        seed: Seed of the bootstrap.
        overwrite: Whether the folder of an earlier evaluation may be replaced.
        edition_map: Table of the changes since the edition of the gold, for scores in that edition, or
            `packaged` for the table that comes with cclearn; None computes none.
    """

    out: Path | None = None
    train: Path | None = None
    draws: int = 1_000
    seed: int = 0
    overwrite: bool = False
    edition_map: str | None = None

    @property
    def train_files(self) -> dict[str, Path]:
        """The file of training notes by its role; empty if there is none."""
        return {} if self.train is None else {"train": self.train}

    @property
    def files(self) -> list[Path]:
        """The files that the options name."""
        files = list(self.train_files.values())
        if self.edition_map not in (None, PACKAGED):
            files.append(Path(self.edition_map))
        return files

    def settings(self, system: CodeSystem) -> Settings:
        """Return the settings of the evaluation, with the number of training notes of each code."""
        changes = self.edition_map and EditionMap.load(self.edition_map, system)
        training = None
        if self.train is not None:
            notes = read_coded(self.train, system)
            training = Counter(assigned.code for note in notes for assigned in note.codes)
        return Settings(
            draws=self.draws, seed=self.seed, training=training, edition_map=changes or None
        )

    def folder(self) -> AbstractContextManager[Path | None]:
        """Return a context that provides the folder to write; None if nothing is written."""
        if self.out is None:
            return nullcontext()
        return atomic_folder(self.out, self.overwrite, "evaluation")


def score_files(
    gold: Path,
    predicted: Sequence[Path],
    system: CodeSystem,
    options: ScoringOptions | None = None,
    show: int = 0,
    compare: bool = False,
) -> Scored:
    """Score predictions in files, or in folders that `cclearn code` wrote.

    A system is named by the name of its file without the suffix, or by the path if several files have
    the same name.

    Args:
        gold: Coded notes with the gold codes.
        predicted: Files of coded notes or folders of runs, one per system.
        system: The code system.
        options: Options of scoring.
        show: Number of the worst notes that the report shows, with their text.
        compare: Whether each pair of systems is compared.

    Raises:
        CclearnError: A file cannot be read, or predictions do not belong to the gold notes.
    """
    options = options or ScoringOptions()
    _refuse_missing([gold, *predicted, *options.files])
    files = _files_by_name(predicted)
    with options.folder() as folder:
        settings = options.settings(system)
        comparison = evaluate(
            read_coded(gold, system),
            {name: read_coded(path, system) for name, path in files.items()},
            system,
            settings,
            compare,
        )
        read = {"gold": gold, **files, **options.train_files}
        result = result_of(comparison, system, settings, read)
        if folder is not None:
            write_result(folder, result)
            worst, answers = worst_notes(gold, files, system, show) if show else ([], {})
            report = Report(
                f"{'Comparison' if compare else 'Evaluation'} on {gold.name}",
                introduction(result),
                comparison.evaluations,
                comparison.differences,
                gold=worst,
                predicted=answers,
            )
            write_report(folder, report)
    return Scored(comparison, result)


def score_spans(
    spans: Path,
    models: Sequence[str],
    system: CodeSystem,
    options: ScoringOptions | None = None,
    limit: int | None = None,
    engine: EngineSettings | None = None,
    loop: LoopSettings | None = None,
    labels: LabelSettings | None = None,
    pairs: Path | None = None,
) -> Scored:
    """Code evidence spans with models, and score the models.

    The folder also receives the answers, `spans/MODEL.jsonl`.

    Args:
        spans: Span pairs with the gold codes.
        models: Names of the models, in any form that `--model` accepts.
        system: The code system.
        options: Options of scoring. Codes of its training notes are the seen codes.
        limit: Maximum number of spans to code, selected by the hashes of their ids; None codes all.
        engine: Settings of the models' engines.
        loop: Settings of `span_loop`, whose assigner then codes the spans; None uses `single_pass`.
        labels: Settings of those models that score labels.
        pairs: Span pairs whose strings are added to the lexicon and to the candidates.

    Raises:
        CclearnError: A file cannot be read, or a model cannot be loaded.
    """
    options = options or ScoringOptions()
    names = model_names(models)
    _refuse_missing([spans, *([pairs] if pairs else []), *options.files])
    gold = sorted(read_span_pairs(spans, system), key=lambda pair: sha256_of_text(pair.id))[:limit]
    settings = options.settings(system)
    answers: dict[str, list[list[str]]] = {}
    warnings: list[str] = []
    with options.folder() as folder:
        for model, name in names.items():
            coder_settings = CoderSettings(
                model=model,
                engine=engine or EngineSettings(),
                loop=loop,
                calibration="off",
                labels=labels if scores_labels(model) else None,
                pairs=pairs,
            )
            coder = load_coder(coder_settings, system)
            texts = track((pair.text for pair in gold), f"coding with {name}", len(gold))
            answers[name] = list(coder.code_spans(texts, _origin(gold)))
            warnings += [
                f"{name}: {count} of {len(gold)} spans have no answer ({problem}), and count as wrong"
                for problem, count in sorted(coder.usage.problems.items())
            ]
        comparison = evaluate_spans(gold, answers, system, settings)
        comparison = replace(comparison, warnings=(*comparison.warnings, *warnings))
        read = {"gold": spans, **({"pairs": pairs} if pairs else {}), **options.train_files}
        result = result_of(comparison, system, settings, read, limit=limit, models=models)
        if folder is not None:
            _write_answers(folder / "spans", gold, answers)
            write_result(folder, result)
            report = Report(
                f"Spans of {spans.name}",
                introduction(result, unit="spans"),
                comparison.evaluations,
                comparison.differences,
            )
            write_report(folder, report)
    return Scored(comparison, result)


def _origin(pairs: Sequence[SpanPair]) -> Origin:
    """Return the origin of span pairs: `public` only if none of them is restricted."""
    return "restricted" if any(pair.origin == "restricted" for pair in pairs) else "public"


def _write_answers(
    folder: Path, gold: Sequence[SpanPair], answers: Mapping[str, Sequence[Sequence[str]]]
) -> None:
    for name, answered in answers.items():
        with atomic_file(folder / f"{name}.jsonl") as stream:
            for pair, codes in zip(gold, answered, strict=True):
                row = {"id": pair.id, "code": pair.code, "answered": codes}
                stream.write(json.dumps(row).encode() + b"\n")


def model_names(models: Sequence[str]) -> dict[str, str]:
    """Return a short name for each model, which is also a valid file name.

    Raises:
        ConfigurationError: Two models have the same name, or a model is missing. The error lists all
            such models.
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
                f"model (model = {model}): the name {name} is used twice, or reserved for the file"
                " of that role. Remove one, or rename its folder."
            )
        names[model] = name
    if problems:
        raise ConfigurationError(problems)
    return names


def _refuse_missing(paths: Sequence[Path]) -> None:
    """Raise a ConfigurationError that lists all paths that do not exist."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise ConfigurationError([f"{path}: no such file. Name another." for path in missing])


def _files_by_name(predicted: Sequence[Path]) -> dict[str, Path]:
    """Return the files of predictions by the name of their system; refuse to read a file twice."""
    resolved = [path.resolve() for path in predicted]
    repeated = [
        str(path)
        for path, target in zip(predicted, resolved, strict=True)
        if resolved.count(target) > 1
    ]
    if repeated:
        raise ConfigurationError(
            [
                f"pred ({', '.join(repeated)}): the same file is named more than once. Name one file"
                " for each system."
            ]
        )
    stems = [path.stem for path in predicted]
    return {
        path.stem if stems.count(path.stem) == 1 and path.stem not in _ROLES else str(path): path
        for path in predicted
    }
