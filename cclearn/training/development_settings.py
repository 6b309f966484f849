"""The section of a recipe that selects the rows which are evaluated during the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cclearn.prompts.templates import RowKind
from cclearn.training.recipe_section import RecipeSection


class Development(RecipeSection):
    """Rows that are not trained on, and what is measured on them during the run.

    Attributes:
        share: Share of the rows that are left out. Notes are split by their ids, spans by their strings.
        path: File of coded notes that are evaluated in place of a share of the rows. Rows that occur in
            it are not trained on.
        most: Largest number of rows of each kind that are evaluated.
        every: Number of steps between evaluations.
        weights: Weight of the loss of each kind of rows in `eval_loss`.
        notes: Number of notes, at most `most`, that the model codes at each evaluation, for
            `eval_code_f1`, their micro-averaged F1; 0 for none. Baselines tune their thresholds on them.
        best: Measure by which the best weights are kept: `loss` for `eval_loss`, `code_f1` for
            `eval_code_f1`, or `map` for `eval_map`, which discriminative coders have. None keeps the
            last weights.
        patience: Number of evaluations without an improvement after which the run ends. None for no
            limit.
    """

    share: float = Field(default=0.05, gt=0, lt=1)
    path: Path | None = None
    most: int = Field(default=500, gt=0)
    every: int = Field(default=100, gt=0)
    weights: dict[RowKind, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    notes: int = Field(default=0, ge=0)
    best: Literal["loss", "code_f1", "map"] | None = "loss"
    patience: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _measures_exist(self) -> Self:
        if self.best in ("code_f1", "map") and not self.notes:
            raise ValueError(f"best: {self.best} needs notes to code; set notes")
        if self.best is None and self.patience is not None:
            raise ValueError("patience: it counts from the best evaluation; set best")
        return self
