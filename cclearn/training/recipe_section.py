"""The base class of all sections of a recipe."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RecipeSection(BaseModel):
    """A section of a recipe. It refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
