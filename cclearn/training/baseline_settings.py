"""The section of a recipe that makes it one for a discriminative coder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from cclearn.training.recipe_section import RecipeSection

HeadName = Literal["plm_icd", "plm_ca", "gki_icd", "descriptions"]


class Baseline(RecipeSection):
    """Settings of a discriminative coder: an encoder with a head that scores every label.

    Documents are read in chunks without overlap, up to `training.max_length` tokens.

    Attributes:
        head: Head of PLM-ICD, PLM-CA or GKI-ICD, or `descriptions`, whose labels are given by encoded
            descriptions alone, so that codes without training rows have a score too
            (`cclearn.baselines.heads`).
        labels: Codes that are scored: `rows` for those of the training rows, `billable` for all codes
            that can be assigned, or the path of a file with a code in each line.
        chunk: Number of tokens that the encoder reads at once.
        label_chunk: Number of labels that are scored at once, 0 for all. It changes the memory and not
            the result.
        batch_rows: Largest number of rows of a batch with `batching: grouped`. Each row has features of
            all labels, however short it is.
        head_learning_rate: Largest learning rate of the head, with `training.optimizer: adamw`. None is
            `training.learning_rate`. The head begins with random weights, and with few notes it needs
            larger steps than a pretrained encoder.
        sampled_labels: Number of further labels that a batch is trained on besides its gold labels,
            drawn at random and weighted so that the expected loss is that of all. None for all labels.
        guidelines: Whether each document has a second text with the same labels: the chapter, block,
            category and a string of each of its codes (guideline synthesis of GKI-ICD).
        similarity: Weight of one minus the cosine of the features of a document and those of its
            guideline, for the gold labels (GKI-ICD).
        consistency: Weight of the divergence between two passes of a document with different dropout,
            from the second epoch on (R-Drop, Liang et al. 2021, arXiv 2106.14448, as in GKI-ICD).
        threshold: Probability from which a label is assigned, if no development notes tune it.
        evidence_threshold: Share of a label's attribution from which a word is evidence, if no evidence
            of development notes tunes it.
    """

    head: HeadName = "plm_ca"
    labels: Literal["rows", "billable"] | Path = "rows"
    chunk: int = Field(default=128, ge=8)
    label_chunk: int = Field(default=0, ge=0)
    batch_rows: int = Field(default=64, gt=0)
    head_learning_rate: float | None = Field(default=None, gt=0)
    sampled_labels: int | None = Field(default=None, gt=0)
    guidelines: bool = False
    similarity: float = Field(default=0.0, ge=0)
    consistency: float = Field(default=0.0, ge=0)
    threshold: float = Field(default=0.5, ge=0, le=1)
    evidence_threshold: float = Field(default=0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _losses_are_compatible(self) -> Self:
        if self.similarity and not self.guidelines:
            raise ValueError("similarity: it compares documents with guidelines; set guidelines")
        if self.consistency and self.sampled_labels is not None:
            raise ValueError(
                "consistency: it compares the scores of all labels; omit sampled_labels"
            )
        return self

    def passes(self, epochs: float) -> float:
        """Return how often the tokens of a document are read, for each time that its row is drawn.

        Guidelines count as texts of the same length. They are mostly shorter, so that this is the most.

        Args:
            epochs: Number of epochs of the run. In the first one, there is no second pass.
        """
        second = max(0.0, 1 - 1 / epochs) if self.consistency else 0.0
        return (2 if self.guidelines else 1) * (1 + second)
