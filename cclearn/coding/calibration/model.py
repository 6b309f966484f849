"""Calibration: scores become probabilities, and probabilities become decisions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import cclearn
from cclearn.coding.calibration.features import PROBABILITY, Signals, signals_of
from cclearn.coding.findings import NoteFindings
from cclearn.coding.identity import CoderIdentity, difference
from cclearn.errors import ConfigurationError, DataError
from cclearn.notes import CodedNote, Origin
from cclearn.runtime.files import read_text

Method = Literal["platt", "isotonic"]
Share = Annotated[float, Field(ge=0, le=1)]


_SYNTHETIC = "calibration: fitted on synthetic notes"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Platt(_Part):
    """A logistic function of a code's signals (Platt 1999).

    Attributes:
        intercept: Intercept, in log-odds.
        coefficients: Coefficient of each feature, by its name (`Signals.features`).
    """

    method: Literal["platt"] = "platt"
    intercept: float
    coefficients: dict[str, float]

    def scores(self, signals: Sequence[Signals]) -> list[float | None]:
        """Return the probability that each code is correct. None if a code has no score and the curve
        needs one. Other signals that a code does not have are 0."""
        return [self._score(signal.features()) for signal in signals]

    def _score(self, features: Mapping[str, float]) -> float | None:
        if PROBABILITY in self.coefficients and PROBABILITY not in features:
            return None
        terms = (slope * features.get(name, 0.0) for name, slope in self.coefficients.items())
        # This form of the logistic function does not overflow.
        return 0.5 * (1 + math.tanh(math.fsum([self.intercept, *terms]) / 2))


class Isotonic(_Part):
    """An increasing, piecewise linear function of the score (Zadrozny & Elkan 2002).

    It is constant outside of the knots.

    Attributes:
        raw: Raw scores at the knots, in increasing order.
        calibrated: Probabilities at the knots, in increasing order.
    """

    method: Literal["isotonic"] = "isotonic"
    raw: list[Share] = Field(min_length=1)
    calibrated: list[Share]

    @model_validator(mode="after")
    def _is_increasing(self) -> Self:
        if len(self.raw) != len(self.calibrated):
            raise ValueError("raw and calibrated differ in length")
        if sorted(self.raw) != self.raw or sorted(self.calibrated) != self.calibrated:
            raise ValueError("raw and calibrated must be increasing")
        return self

    def scores(self, signals: Sequence[Signals]) -> list[float | None]:
        """Return the probability that each code is correct. None if the code has no score."""
        return [
            None
            if signal.probability is None
            else float(np.interp(signal.probability, self.raw, self.calibrated))
            for signal in signals
        ]


Curve = Annotated[Platt | Isotonic, Field(discriminator="method")]


class Thresholds(_Part):
    """The thresholds of the decisions.

    Attributes:
        accept: Minimum score of accepted codes. None accepts no code.
        reject: Maximum score of rejected codes. None rejects no code.
        precision: Required share of correct codes among the accepted codes.
        rejected_right: Permitted share of correct codes among the rejected codes. None if the codes are
            rejected without which the micro F1 on the development notes is highest.
        confidence: Confidence of both shares on the development notes (one-sided Wilson bound).
    """

    accept: Share | None
    reject: Share | None
    precision: Share
    rejected_right: Share | None
    confidence: Share

    def decide(self, score: float | None) -> Literal["accept", "review", "reject"]:
        """Return the decision on a code. A code without a score is reviewed."""
        if score is not None and self.accept is not None and score >= self.accept:
            return "accept"
        if score is not None and self.reject is not None and score <= self.reject:
            return "reject"
        return "review"


class Decided(_Part):
    """The codes of the development notes that received one decision.

    Attributes:
        codes: Number of codes.
        right: Number of correct codes.
    """

    codes: int
    right: int


class CalibrationError(_Part):
    """The expected calibration error on the development notes.

    Attributes:
        before: Error of the raw scores. None if the coder gives no scores.
        after: Error of the calibrated scores, from curves that were fitted without the note.
    """

    before: float | None
    after: float


class Calibration(_Part):
    """Turns the findings of a coder into probabilities and decisions. It contains no text of a note.

    Attributes:
        calibration_version: Version of this schema. It changes when a field is removed or changes its
            meaning.
        cclearn: Version of cclearn that fitted the calibration.
        made_for: Identity of the coder that the calibration was made for.
        data_sha256: Hash of the file of development notes.
        notes: Number of development notes.
        codes: Number of codes that the coder found in the development notes.
        base_rate: Share of correct codes among them.
        origins: Origins of the development notes. Empty in files of earlier versions.
        curve: Curve that maps signals to probabilities.
        thresholds: Thresholds that map probabilities to decisions.
        expected_calibration_error: Expected calibration error on the development notes.
        decisions: Codes of the development notes by their decision, scored by curves that were fitted
            without the note.
        remarks: Limitations that a user must know.
    """

    calibration_version: Literal[1] = 1
    cclearn: str = cclearn.__version__
    made_for: CoderIdentity
    data_sha256: str
    notes: int
    codes: int
    base_rate: Share
    origins: list[Origin] = []
    curve: Curve
    thresholds: Thresholds
    expected_calibration_error: CalibrationError
    decisions: dict[Literal["accept", "review", "reject"], Decided]
    remarks: list[str] = []

    def apply(self, coded: CodedNote, note_findings: NoteFindings) -> CodedNote:
        """Return a note with calibrated scores and decisions. Rejected codes move to `rejected`.

        A note that is not synthetic gets a flag if all development notes were.

        Args:
            coded: Coded note that the findings were aggregated into.
            note_findings: Findings in the note.
        """
        kept, rejected = [], []
        scores = self.curve.scores(signals_of(coded, note_findings))
        for assigned, score in zip(coded.codes, scores, strict=True):
            decision = self.thresholds.decide(score)
            if decision == "reject":
                rejected.append(assigned.model_copy(update={"score": score}))
            else:
                kept.append(assigned.model_copy(update={"score": score, "decision": decision}))
        flags = coded.flags
        if self.origins == ["synthetic"] and coded.origin != "synthetic":
            flags = sorted({*flags, _SYNTHETIC})
        return coded.model_copy(update={"codes": kept, "rejected": rejected, "flags": flags})


def read_calibration(path: Path) -> Calibration:
    """Read the file of a calibration.

    Raises:
        DataError: The file is missing, or is not a calibration of this version.
    """
    try:
        return Calibration.model_validate_json(read_text(path))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, problem["loc"])) or None
        message = problem["msg"].removeprefix("Value error, ")
        raise DataError(path, f"no calibration: {message}", field=field) from None


def refuse_other_coder(path: Path, made_for: CoderIdentity, coder: CoderIdentity) -> None:
    """Refuse a calibration that was made for another coder.

    Args:
        path: Path of the calibration, for the message.
        made_for: Identity of the coder that the calibration was made for.
        coder: Identity of the coder to calibrate.

    Raises:
        ConfigurationError: The two coders may give different scores.
    """
    if found := list(_describe(made_for, coder)):
        raise ConfigurationError(
            [
                f"calibration (file = {path}): it was made for {theirs}, and this is {ours}. Run"
                " `cclearn calibrate` for this one, or switch it off (calibration off)."
                for theirs, ours in found
            ]
        )


def _describe(theirs: CoderIdentity, ours: CoderIdentity) -> Iterator[tuple[str, str]]:
    """Yield a description of the other coder and of this one for each respect in which they differ."""
    differing = {entry.key for entry in difference(theirs.model_dump(), ours.model_dump())}
    same_name = "model" not in differing
    # A folder may be renamed, so that hashes decide if there are any.
    hashed = bool(theirs.model_sha256 or ours.model_sha256)
    other_model = ("model_sha256" if hashed else "model") in differing
    if other_model and not (same_name and "mode" in differing):
        this = f"a different {ours.model}" if same_name else ours.model
        yield f"another model ({theirs.model})", this
    elif "mode" in differing:
        yield theirs.mode, ours.mode
    elif "prompt_sha256" in differing:
        yield "other prompts or examples", f"{ours.model} with its own"
    if differing & {"system", "release"}:
        yield f"{theirs.system} {theirs.release}", f"a coder of {ours.system} {ours.release}"
