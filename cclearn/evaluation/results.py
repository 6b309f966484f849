"""The result file: every score with its interval, and the inputs of the evaluation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

import cclearn
from cclearn.bulk.folder import coded_sha256
from cclearn.codes import CodeSystem
from cclearn.evaluation.evaluate import Comparison, Evaluation, Settings
from cclearn.evaluation.metrics.reliability import expected_calibration_error
from cclearn.runtime.files import atomic_file, write_json

CONFUSIONS = 100
"""Maximum number of confusions of a system in the file."""

RESULT_VERSION = 1
"""Version of the file format, which changes if a field changes its meaning or is removed."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class ScoreResult(_Part):
    """A score with its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None


class DifferenceResult(_Part):
    """A difference with its 95 % interval and p-values (`cclearn.evaluation.bootstrap`)."""

    value: float | None
    low: float | None
    high: float | None
    p_bootstrap: float | None
    p_randomisation: float | None


class BinResult(_Part):
    """A bin of the reliability diagram."""

    low: float
    codes: int
    score: float
    right: float


class ConfusionResult(_Part):
    """A missed code and the related code that was predicted instead."""

    missed: str
    predicted: str
    kinship: str
    notes: int


class SystemResult(_Part):
    """The scores of one system; `docs/evaluation.md` defines them."""

    notes_asked: int
    notes_answered: int
    warnings: list[str]
    scores: dict[str, ScoreResult]
    calibration: list[BinResult]
    expected_calibration_error: float | None
    confusions: list[ConfusionResult]


class PairResult(_Part):
    """Scores of the first system minus those of the second."""

    first: str
    second: str
    scores: dict[str, DifferenceResult]


class CodeSystemResult(_Part):
    """The code system and its official source."""

    name: str
    release: str
    source: str


class Result(_Part):
    """The content of a result file, which contains no text of a note.

    Attributes:
        result_version: Version of the file format.
        cclearn: Version of the package.
        code_system: Name, release and source of the code system.
        label_space: Number of billable codes of the release, and of codes in gold or predictions.
        bootstrap: Number of draws, seed, and width of the intervals.
        warnings: What a reader must know about the gold notes.
        sha256: Hashes of the files that were read, by role: `gold`, `train`, `pairs`, `edition_map`, or
            the name of a system.
        systems: Scores by system.
        differences: Differences of each pair of systems.
        described: Further information: options, manifests of models, cost, hashes.
    """

    result_version: int = RESULT_VERSION
    cclearn: str
    code_system: CodeSystemResult
    label_space: dict[str, int]
    bootstrap: dict[str, float]
    warnings: list[str]
    sha256: dict[str, str]
    systems: dict[str, SystemResult]
    differences: list[PairResult]
    described: dict[str, Any]


class Scored(NamedTuple):
    """The scores of systems, and the content of their result file.

    Attributes:
        comparison: Scores and differences.
        result: Content of `metrics.json`.
        bounds: Scores of systems that bound those of others (`cclearn.evaluation.bounds`); empty if none
            were asked for.
    """

    comparison: Comparison
    result: Result
    bounds: Mapping[str, Evaluation] = {}


def result_of(
    comparison: Comparison,
    system: CodeSystem,
    settings: Settings,
    files: Mapping[str, Path],
    **described: Any,
) -> Result:
    """Return the content of a result file.

    Args:
        comparison: The scores.
        system: The code system.
        settings: Settings of the evaluation.
        files: Files that were read, by role.
        described: Further information.
    """
    if settings.edition_map is not None:
        files = {**files, "edition_map": settings.edition_map.path}
    return Result(
        cclearn=cclearn.__version__,
        code_system=CodeSystemResult(
            name=system.name, release=system.release, source=system.source
        ),
        label_space={
            "billable": len(system.billable_codes()),
            "in_gold_or_predictions": comparison.labels,
        },
        bootstrap={"draws": settings.draws, "seed": settings.seed, "interval": 0.95},
        warnings=list(comparison.warnings),
        sha256={name: coded_sha256(path) for name, path in files.items()},
        systems={name: _system_result(scores) for name, scores in comparison.evaluations.items()},
        differences=[
            PairResult(
                first=one,
                second=two,
                scores={k: DifferenceResult.model_validate(v) for k, v in differences.items()},
            )
            for (one, two), differences in comparison.differences.items()
        ],
        described=described,
    )


def _system_result(evaluation: Evaluation) -> SystemResult:
    return SystemResult(
        notes_asked=evaluation.notes,
        notes_answered=evaluation.notes - len(evaluation.missing),
        warnings=list(evaluation.warnings),
        scores={k: ScoreResult.model_validate(v) for k, v in evaluation.scores.items()},
        calibration=[BinResult.model_validate(row) for row in evaluation.calibration],
        expected_calibration_error=expected_calibration_error(evaluation.calibration),
        confusions=[
            ConfusionResult.model_validate(row) for row in evaluation.confusions[:CONFUSIONS]
        ],
    )


def write_result(folder: Path, result: Result) -> None:
    """Write `metrics.json`, and its scores as `scores.csv` with a line for each system and score."""
    write_json(folder / "metrics.json", result.model_dump(mode="json"))
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["system", "score", "value", "low", "high"])
    for name, system in result.systems.items():
        for score, found in system.scores.items():
            table.writerow([name, score, found.value, found.low, found.high])
    with atomic_file(folder / "scores.csv") as stream:
        stream.write(lines.getvalue().encode())
