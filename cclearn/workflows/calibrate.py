"""Calibration of a coder on coded development notes: `cclearn calibrate`."""

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
from cclearn.evaluation.metrics.reliability import bin_scores, expected_calibration_error
from cclearn.notes import CODED_ASSERTIONS, CodedNote, Origin
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.files import sha256_of_file


def calibrate(
    coder: Coder,
    data: Path,
    method: Method = "platt",
    precision: float = 0.9,
    rejected_right: float | None = 0.1,
    progress: Callable[[Iterable[CodedNote]], Iterable[CodedNote]] | None = None,
) -> Calibration:
    """Code development notes and fit a calibration to the correctness of the codes.

    A code is correct if it is a gold code of the note. Errors and thresholds are measured by
    cross-validation over notes, so that no curve is measured on codes to which it was fitted. The
    returned curve is fitted to all codes.

    Args:
        coder: The coder. Its own calibration, if any, is ignored.
        data: Coded notes on which the model was not trained.
        method: Method by which the curve is fitted.
        precision: Required share of correct codes among the accepted codes.
        rejected_right: Maximum share of correct codes among the rejected codes. None rejects the codes
            without which the micro F1 is highest.
        progress: Function that yields notes while it shows their number.

    Raises:
        ConfigurationError: The shares are invalid, or no curve can be fitted to the codes.
        DataError: The file cannot be read.
    """
    limit = 0.0 if rejected_right is None else rejected_right
    if not 0 <= limit < precision <= 1:
        raise ConfigurationError(
            [
                f"calibrate (precision = {precision}, rejected_right = {rejected_right}): not shares, or"
                " more of the rejected codes may be right than of the accepted. Name 0 to 1."
            ]
        )
    observed = _observe(coder, data, progress)
    refuse_unfit(method, observed.signals, observed.correct, observed.folds)
    scores = out_of_fold(method, observed.signals, observed.correct, observed.folds)
    thresholds = find_thresholds(scores, observed.correct, precision, rejected_right, observed.gold)
    return Calibration(
        made_for=coder.identity,
        data_sha256=sha256_of_file(data),
        notes=observed.notes,
        codes=len(observed.signals),
        base_rate=float(observed.correct.mean()),
        origins=observed.origins,
        curve=fit_curve(method, observed.signals, observed.correct),
        thresholds=thresholds,
        expected_calibration_error=_errors(observed.signals, scores, observed.correct),
        decisions=_decisions(thresholds, scores, observed.correct),
        remarks=_remarks(thresholds, observed),
    )


@dataclass(frozen=True, slots=True)
class _Observed:
    """The codes that a coder assigned to the development notes.

    Attributes:
        notes: Number of notes.
        gold: Number of gold codes of all notes.
        signals: Features of each code.
        correct: Whether each code is correct.
        folds: Cross-validation fold of each code, which is that of its note.
        origins: Origins of the notes, in alphabetical order.
    """

    notes: int
    gold: int
    signals: list[Signals]
    correct: Flags
    folds: npt.NDArray[np.int64]
    origins: list[Origin]


def _observe(
    coder: Coder,
    data: Path,
    progress: Callable[[Iterable[CodedNote]], Iterable[CodedNote]] | None,
) -> _Observed:
    notes: Iterable[CodedNote] = read_coded_notes(data, coder.system)
    uncoded = (note.note for note in read_coded_notes(data, coder.system))
    answers = coder.aggregate_many(uncoded)
    ids: list[str] = []
    counts: list[int] = []
    number_of_gold_codes = 0
    signals: list[Signals] = []
    correct: list[bool] = []
    origins: set[Origin] = set()
    for gold, (note_findings, coded) in zip(
        progress(notes) if progress else notes, answers, strict=True
    ):
        gold_codes = {
            assigned.code for assigned in gold.codes if assigned.assertion in CODED_ASSERTIONS
        }
        ids.append(gold.id)
        number_of_gold_codes += len(gold_codes)
        origins.add(gold.origin)
        counts.append(len(coded.codes))
        signals += signals_of(coded, note_findings)
        correct += [assigned.code in gold_codes for assigned in coded.codes]
    folds = np.repeat(folds_of(ids), np.array(counts, np.int64))
    right = np.array(correct, bool)
    return _Observed(len(ids), number_of_gold_codes, signals, right, folds, sorted(origins))


def _errors(signals: list[Signals], scores: Array, correct: Flags) -> CalibrationError:
    raw = [signal.probability for signal in signals]
    known = [score for score in raw if score is not None]
    before = None
    if len(known) == len(raw):
        before = expected_calibration_error(bin_scores(known, correct))
    after = expected_calibration_error(bin_scores(scores, correct))
    return CalibrationError(before=before, after=after or 0.0)


def _decisions(thresholds: Thresholds, scores: Array, correct: Flags) -> dict[str, Decided]:
    decided = np.array([thresholds.decide(score) for score in scores.tolist()])
    return {
        decision: Decided(
            codes=int((decided == decision).sum()), right=int(correct[decided == decision].sum())
        )
        for decision in ("accept", "review", "reject")
    }


def _remarks(thresholds: Thresholds, observed: _Observed) -> list[str]:
    found = []
    if observed.origins == ["synthetic"]:
        found.append(
            "all notes are synthetic: real notes may be harder, and are flagged when they are coded with"
            " this calibration"
        )
    if thresholds.accept is None:
        found.append(
            f"no threshold is shown to reach a precision of {thresholds.precision:g} among the accepted"
            " codes: nothing is accepted"
        )
    if thresholds.reject is None:
        found.append(
            "the micro F1 is highest with all codes: nothing is rejected"
            if thresholds.rejected_right is None
            else "no threshold is shown to keep the right ones among the rejected codes down to"
            f" {thresholds.rejected_right:g}: nothing is rejected"
        )
    unscored = sum(signal.probability is None for signal in observed.signals)
    if unscored:
        found.append(
            f"{unscored} of {len(observed.signals)} codes have no score of the coder: the curve is made"
            " of the other signals"
        )
    return found
