"""Calibrating a coder on coded development notes: what `cclearn calibrate` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cclearn.coding import Coder
from cclearn.coding.calibration.features import Signals, signals_of
from cclearn.coding.calibration.fit import (
    Array,
    Flags,
    find_thresholds,
    fit_curve,
    folds_of,
    out_of_fold,
    refuse_unfit,
)
from cclearn.coding.calibration.model import (
    Calibration,
    CalibrationError,
    Decided,
    Method,
    Thresholds,
)
from cclearn.errors import ConfigurationError
from cclearn.evaluation.metrics.reliability import bins_of, expected_calibration_error
from cclearn.notes import CODED, CodedNote
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.files import sha256_of_file


def calibrate(
    coder: Coder,
    data: Path,
    method: Method = "platt",
    precision: float = 0.9,
    rejected_right: float = 0.1,
    progress: Callable[[Iterable[CodedNote]], Iterable[CodedNote]] | None = None,
) -> Calibration:
    """Code development notes and fit a calibration to what was right.

    Errors and thresholds are measured by cross-validation over notes, never on what a curve was fitted
    to; the curve itself is fitted to all of them. A code is right where the note's codes hold it.

    Args:
        coder: Not calibrated yet, or its calibration is passed over.
        data: Coded notes that the model was not trained on.
        method: The kind of curve.
        precision: The share of the accepted codes that shall be right.
        rejected_right: The most of the rejected codes that may be right.
        progress: Passes the notes on while it counts them.

    Raises:
        ConfigurationError: The shares cannot be meant, or no curve can be fitted to the codes.
        DataError: The file is not what it should be.
    """
    if not 0 <= rejected_right < precision <= 1:
        raise ConfigurationError(
            [
                f"calibrate (precision = {precision}, rejected_right = {rejected_right}): not shares, or"
                " more of the rejected codes may be right than of the accepted. Name 0 to 1."
            ]
        )
    seen = _observe(coder, data, progress)
    refuse_unfit(method, seen.signals, seen.right, seen.folds)
    scores = out_of_fold(method, seen.signals, seen.right, seen.folds)
    thresholds = find_thresholds(scores, seen.right, precision, rejected_right)
    return Calibration(
        made_for=coder.identity,
        data_sha256=sha256_of_file(data),
        notes=seen.notes,
        codes=len(seen.signals),
        base_rate=float(seen.right.mean()),
        curve=fit_curve(method, seen.signals, seen.right),
        thresholds=thresholds,
        expected_calibration_error=_errors(seen.signals, scores, seen.right),
        decisions=_decisions(thresholds, scores, seen.right),
        remarks=_remarks(thresholds, seen.signals),
    )


@dataclass(frozen=True, slots=True)
class _Observed:
    """The codes that a coder found in notes, each with whether it is right and its note's fold."""

    notes: int
    signals: list[Signals]
    right: Flags
    folds: npt.NDArray[np.int64]


def _observe(
    coder: Coder,
    data: Path,
    progress: Callable[[Iterable[CodedNote]], Iterable[CodedNote]] | None,
) -> _Observed:
    notes: Iterable[CodedNote] = read_coded_notes(data, coder.system)
    asked = (note.note for note in read_coded_notes(data, coder.system))
    answers = coder.aggregate_many(asked)
    ids: list[str] = []
    counts: list[int] = []
    signals: list[Signals] = []
    right: list[bool] = []
    for gold, (reading, coded) in zip(progress(notes) if progress else notes, answers, strict=True):
        wanted = {assigned.code for assigned in gold.codes if assigned.assertion in CODED}
        ids.append(gold.id)
        counts.append(len(coded.codes))
        signals += signals_of(coded, reading)
        right += [assigned.code in wanted for assigned in coded.codes]
    folds = np.repeat(folds_of(ids), np.array(counts, np.int64))
    return _Observed(len(ids), signals, np.array(right, bool), folds)


def _errors(signals: list[Signals], scores: Array, right: Flags) -> CalibrationError:
    raw = [signal.probability for signal in signals]
    known = [score for score in raw if score is not None]
    before = None
    if len(known) == len(raw):
        before = expected_calibration_error(bins_of(known, right))
    after = expected_calibration_error(bins_of(scores, right))
    return CalibrationError(before=before, after=after or 0.0)


def _decisions(thresholds: Thresholds, scores: Array, right: Flags) -> dict[str, Decided]:
    made = np.array([thresholds.decide(score) for score in scores.tolist()])
    return {
        decision: Decided(
            codes=int((made == decision).sum()), right=int(right[made == decision].sum())
        )
        for decision in ("accept", "review", "reject")
    }


def _remarks(thresholds: Thresholds, signals: list[Signals]) -> list[str]:
    found = []
    if thresholds.accept is None:
        found.append(
            f"no threshold is shown to reach a precision of {thresholds.precision:g} among the accepted"
            " codes: nothing is accepted"
        )
    if thresholds.reject is None:
        found.append(
            "no threshold is shown to keep the right ones among the rejected codes down to"
            f" {thresholds.rejected_right:g}: nothing is rejected"
        )
    unscored = sum(signal.probability is None for signal in signals)
    if unscored:
        found.append(
            f"{unscored} of {len(signals)} codes have no score of the coder: the curve is made of the"
            " other signals"
        )
    return found
