"""The result file: every score with its interval, and what it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cclearn
from cclearn.codes import CodeSystem
from cclearn.evaluation.calibration import expected_calibration_error
from cclearn.evaluation.evaluate import Comparison, Settings
from cclearn.files import sha256_of_file

CONFUSIONS = 100
"""How many of a system's confusions the file holds."""

RESULT_VERSION = 1
"""Of the file; it changes when a field changes its meaning or goes."""


def result_of(
    comparison: Comparison,
    system: CodeSystem,
    settings: Settings,
    files: Mapping[str, Path],
    **described: Any,
) -> dict[str, Any]:
    """Return the content of a result file. It holds no text of a note.

    Args:
        comparison: The scores.
        system: The code system.
        settings: How they were made.
        files: What was read, by role: `gold`, and the name of each system.
        described: Anything else that a reader must know, e.g. manifests of the models.
    """
    return {
        "result_version": RESULT_VERSION,
        "cclearn": cclearn.__version__,
        "code_system": {"name": system.name, "release": system.release, "source": system.source},
        "label_space": {
            "billable": len(system.billable_codes()),
            "in_gold_or_predictions": comparison.labels,
        },
        "bootstrap": {"draws": settings.draws, "seed": settings.seed, "interval": 0.95},
        "sha256": {name: sha256_of_file(path) for name, path in files.items()},
        "systems": {
            name: {
                "notes_asked": evaluation.notes,
                "notes_answered": evaluation.notes - len(evaluation.missing),
                "warnings": list(evaluation.warnings),
                "scores": {score: asdict(value) for score, value in evaluation.scores.items()},
                "calibration": [asdict(each) for each in evaluation.calibration],
                "expected_calibration_error": expected_calibration_error(evaluation.calibration),
                "confusions": [asdict(each) for each in evaluation.confusions[:CONFUSIONS]],
            }
            for name, evaluation in comparison.evaluations.items()
        },
        "differences": [
            {
                "first": one,
                "second": two,
                "scores": {score: asdict(value) for score, value in differences.items()},
            }
            for (one, two), differences in comparison.differences.items()
        ],
        **described,
    }
