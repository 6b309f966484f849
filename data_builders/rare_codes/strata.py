"""Strata of codes by their frequency in a training corpus."""

from __future__ import annotations

import typing
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Stratum = Literal["head", "medium", "tail", "ultra_tail", "zero_shot"]

STRATUM_NAMES: tuple[Stratum, ...] = typing.get_args(Stratum)
"""Names of the strata, the most frequent codes first."""


class FrequencyStrata(BaseModel):
    """Bounds of the strata of codes (arXiv 2511.14112).

    Ultra-tail codes have fewer training notes than tail codes, but at least one. Zero-shot codes are in
    the label space and in no training note.

    Attributes:
        head: Minimum number of training notes of a head code.
        medium: Minimum number of training notes of a medium code.
        tail: Minimum number of training notes of a tail code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    head: int = Field(default=1000, ge=1)
    medium: int = Field(default=100, ge=1)
    tail: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _bounds_decrease(self) -> Self:
        if not self.head > self.medium > self.tail:
            raise ValueError(
                f"{self.head}, {self.medium} and {self.tail} do not decrease. Let head be greater than"
                " medium, and medium greater than tail."
            )
        return self

    def stratum_of(self, count: int) -> Stratum:
        """Return the stratum of a code.

        Args:
            count: Number of training notes with the code.
        """
        if count >= self.head:
            return "head"
        if count >= self.medium:
            return "medium"
        if count >= self.tail:
            return "tail"
        return "ultra_tail" if count else "zero_shot"
