"""Scores that are probabilities, and what follows from them: accept, review or reject."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import cclearn
from cclearn.coding.calibration.features import Signals, signals_of
from cclearn.coding.findings import Reading
from cclearn.coding.identity import CoderIdentity, difference
from cclearn.errors import ConfigurationError, DataError
from cclearn.notes import CodedNote
from cclearn.runtime.files import read_text

Method = Literal["platt", "isotonic"]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Platt(_Part):
    """A logistic function of a code's signals (Platt 1999).

    Attributes:
        intercept: In log-odds.
        coefficients: By the name of the feature (`Signals.features`).
    """

    method: Literal["platt"] = "platt"
    intercept: float
    coefficients: dict[str, float]

    def scores(self, signals: Sequence[Signals]) -> list[float | None]:
        """Return the probability that each code is right; None where a signal is missing."""
        return [self._score(signal.features()) for signal in signals]

    def _score(self, features: Mapping[str, float]) -> float | None:
        if not self.coefficients.keys() <= features.keys():
            return None
        terms = (slope * features[name] for name, slope in self.coefficients.items())
        # The logistic function, written so that nothing overflows.
        return 0.5 * (1 + math.tanh(math.fsum([self.intercept, *terms]) / 2))


class Isotonic(_Part):
    """A rising function of the coder's own score, between its corners a straight line, outside of them
    level (Zadrozny & Elkan 2002).

    Attributes:
        raw: The coder's scores at the corners, rising.
        calibrated: The probabilities there.
    """

    method: Literal["isotonic"] = "isotonic"
    raw: list[Share] = Field(min_length=1)
    calibrated: list[Share]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.raw) != len(self.calibrated):
            raise ValueError("raw and calibrated are not of one length")
        if sorted(self.raw) != self.raw or sorted(self.calibrated) != self.calibrated:
            raise ValueError("raw and calibrated must rise")
        return self

    def scores(self, signals: Sequence[Signals]) -> list[float | None]:
        """Return the probability that each code is right; None where it has no score."""
        return [
            None
            if signal.probability is None
            else float(np.interp(signal.probability, self.raw, self.calibrated))
            for signal in signals
        ]


Curve = Annotated[Platt | Isotonic, Field(discriminator="method")]


class Thresholds(_Part):
    """What is accepted and what is rejected.

    Attributes:
        accept: Codes with at least this score are accepted; None accepts nothing.
        reject: Codes with at most this score are rejected; None rejects nothing.
        precision: The share of the accepted codes that was to be right.
        rejected_right: The share of the rejected codes that was allowed to be right.
        confidence: With which the development notes show both (Wilson's bound, one-sided).
    """

    accept: Share | None
    reject: Share | None
    precision: Share
    rejected_right: Share
    confidence: Share

    def decide(self, score: float | None) -> Literal["accept", "review", "reject"]:
        """Return what to do with a code; one without a score is for review."""
        if score is not None and self.accept is not None and score >= self.accept:
            return "accept"
        if score is not None and self.reject is not None and score <= self.reject:
            return "reject"
        return "review"


class Decided(_Part):
    """The codes of the development notes that one decision concerns.

    Attributes:
        codes: How many.
        right: How many of them are right.
    """

    codes: int
    right: int


class CalibrationError(_Part):
    """The expected calibration error, None where the coder gives no scores of its own.

    Attributes:
        before: Of the coder's scores.
        after: Of the calibrated ones, each by a curve that was fitted without its note.
    """

    before: float | None
    after: float


class Calibration(_Part):
    """Turns a coder's findings into probabilities and decisions. It holds no text of a note.

    Attributes:
        calibration_version: Of this schema; it changes when a field changes its meaning or goes.
        cclearn: The version that fitted it.
        made_for: The coder.
        data_sha256: Of the file of development notes.
        notes: How many notes that file has.
        codes: How many codes the coder found in them.
        base_rate: The share of those that is right.
        curve: From signals to probabilities.
        thresholds: From probabilities to decisions.
        expected_calibration_error: On the development notes.
        decisions: What becomes of the codes of the development notes, each scored by a curve that was
            fitted without its note.
        remarks: What a user must know.
    """

    calibration_version: Literal[1] = 1
    cclearn: str = cclearn.__version__
    made_for: CoderIdentity
    data_sha256: str
    notes: int
    codes: int
    base_rate: Share
    curve: Curve
    thresholds: Thresholds
    expected_calibration_error: CalibrationError
    decisions: dict[Literal["accept", "review", "reject"], Decided]
    remarks: list[str] = []

    def apply(self, coded: CodedNote, reading: Reading) -> CodedNote:
        """Score the codes of a note, decide on each, and set the rejected ones aside.

        Args:
            coded: What the reading was brought together into.
            reading: What was found.
        """
        kept, rejected = [], []
        scores = self.curve.scores(signals_of(coded, reading))
        for assigned, score in zip(coded.codes, scores, strict=True):
            decision = self.thresholds.decide(score)
            if decision == "reject":
                rejected.append(assigned.model_copy(update={"score": score}))
            else:
                kept.append(assigned.model_copy(update={"score": score, "decision": decision}))
        return coded.model_copy(update={"codes": kept, "rejected": rejected})


def read_calibration(path: Path) -> Calibration:
    """Read a calibration's file.

    Raises:
        DataError: It is missing, or no calibration of this version.
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
        coder: Identity of the coder that is to be calibrated.

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
