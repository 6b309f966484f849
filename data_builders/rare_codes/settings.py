"""Settings of the builder of notes for rare codes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from cclearn.engines.registry import ModelSpec
from cclearn.engines.settings import EngineSettings
from data_builders.builder import BuilderConfig
from data_builders.rare_codes.strata import FrequencyStrata
from data_builders.synthetic.mentions import Share

_OF_MODEL = ("engine", "sections", "tries", "style", "style_characters", "lexicon")


class RareCodeNotesConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        notes: Paths of the coded notes of the training corpus. Their codes are counted, and their code
            sets are cloned. Their texts are not used.
        counts: Path of a CSV file with the columns `code` and `count`, which replaces counting.
        labels: Path of a file with the codes of the label space, one on each line. None for the codes
            that are counted, or for all billable codes below `under`.
        under: Code, chapter or block below which codes get notes. None for all codes.
        bounds: Minimum numbers of training notes of head, medium and tail codes.
        below: Number of training notes from which a code gets no synthetic notes.
        most: Maximum number M of synthetic notes for a code, and the number for zero-shot codes.
        alpha: Factor α of the log-inverse allocation.
        cooccurrence: Path of the co-occurrence prior: a folder with the tables `*codes.csv` (columns
            `code`, `n_docs`) and `*pairs.csv` (`code_a`, `code_b`, `n_docs`), or coded notes.
        pairs: Paths of span pairs, whose strings mention the codes. Codes without pairs are mentioned by
            the strings of the code system.
        longest_mention: Maximum number of characters of a string. A code that has only longer strings is
            mentioned by its shortest one.
        prefix: Beginning of the ids of the notes.
        noise: Without a model, share of mentions that are misspelt, abbreviated or otherwise changed.
        workers: Without a model, number of processes, if there is no cluster. It does not influence the
            rows.
        model: Name of a model that writes the notes, in any form that `--model` accepts. None writes
            them from templates.
        engine: Settings of the model's engine, those of `--engine`.
        sections: `whole` asks the model for a note at once, and `section` for each of its sections.
        tries: Number of times that the model is asked for a note that cannot be used.
        style: Path of coded notes, of which the model is shown a similar one for its style.
        style_characters: Maximum number of characters that the model is shown of that note.
        lexicon: Whether the lexicon reads the notes of the model, and its codes that were not asked for
            are counted.
    """

    notes: tuple[Path, ...] = ()
    counts: Path | None = None
    labels: Path | None = None
    under: str | None = None
    bounds: FrequencyStrata = FrequencyStrata()
    below: int = Field(default=100, ge=0)
    most: int = Field(default=50, ge=1)
    alpha: float = Field(default=0.5, gt=0, le=100)
    cooccurrence: Path | None = None
    pairs: tuple[Path, ...] = ()
    longest_mention: int = Field(default=60, ge=1)
    prefix: str = Field(default="rare", min_length=1)
    noise: Share = 0.1
    workers: int = Field(default=1, ge=1, exclude=True)
    model: str | None = None
    engine: EngineSettings = EngineSettings()
    sections: Literal["whole", "section"] = "whole"
    tries: int = Field(default=2, ge=1)
    style: Path | None = None
    style_characters: int = Field(default=3000, ge=1)
    lexicon: bool = False

    @model_validator(mode="after")
    def _settings_belong_together(self) -> Self:
        if not self.notes and self.counts is None and self.labels is None and self.under is None:
            raise ValueError(
                "nothing says which codes are rare. Name notes=[FILE], counts=FILE, labels=FILE or"
                " under=CODE."
            )
        unused = [name for name in _OF_MODEL if name in self.model_fields_set]
        if self.model is None and unused:
            raise ValueError(f"{', '.join(unused)}: only a model uses it. Name a model.")
        if self.model is not None:
            if ModelSpec.parse(self.model).is_lexicon:
                raise ValueError("model: the lexicon is no language model. Name one.")
            if self.engine.constraint == "json":
                raise ValueError("engine.constraint: a note is no JSON. Leave it out.")
            if "noise" in self.model_fields_set:
                raise ValueError("noise: not used with a model. Leave it out.")
        return self

    def inputs(self) -> list[Path]:
        """Return the paths in the settings, also that of a file of answers."""
        file = ModelSpec.parse(self.model).file if self.model is not None else None
        return [*super().inputs(), *([file] if file is not None else [])]
