"""Settings of a coder whose model scores labels."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LabelSettings(BaseModel):
    """Settings of a coder whose model scores labels.

    Attributes:
        threshold: Probability from which a label is a code of the note. None for that of the model,
            which the training tuned on development notes.
        top: Number of labels that are given at least. Those below the threshold are in `rejected`, with
            their scores, unless a calibration decides on them.
        evidence: Attribution by which words are evidence: `attingrad`, `attention`, which takes less
            time, or `none` (`cclearn.baselines.evidence`).
        evidence_threshold: Share of the attribution from which a word is evidence. None for that of the
            model, which the training tuned on the evidence of development notes.
        batch_size: Number of notes that are scored at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float | None = Field(default=None, ge=0, le=1)
    top: int = Field(default=0, ge=0)
    evidence: Literal["attingrad", "attention", "none"] = "attingrad"
    evidence_threshold: float | None = Field(default=None, ge=0, le=1)
    batch_size: int = Field(default=8, gt=0)
