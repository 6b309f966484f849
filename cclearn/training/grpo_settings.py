"""The section of a recipe for the second stage of training."""

from __future__ import annotations

from pydantic import Field

from cclearn.training.recipe_section import RecipeSection


class Grpo(RecipeSection):
    """Settings of the second stage: reinforcement learning on document rows.

    The method is GRPO (Shao et al. 2024, arXiv 2402.03300). `cclearn.evaluation.reward` rewards the
    sampled answers.

    Attributes:
        generations: Number of answers that are sampled for each note.
        answer_length: Largest number of tokens of an answer. A note whose own answer is longer is not
            used (`rows.overflow`), because a model that cannot write it would learn to stop early.
        temperature: Sampling temperature.
        beta: Weight of the divergence from the model that the stage starts from.
        ungrounded: Penalty for citing words that are not in the note, per share of the citations.
        invalid: Penalty for codes that must not be assigned, per share of the citations.
    """

    generations: int = Field(default=8, ge=2)
    answer_length: int = Field(default=2048, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    beta: float = Field(default=0.0, ge=0)
    ungrounded: float = Field(default=0.5, ge=0)
    invalid: float = Field(default=0.5, ge=0)
