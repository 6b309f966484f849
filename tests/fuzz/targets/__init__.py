"""What is mutated, and the command that reads it."""

from __future__ import annotations

from tests.fuzz.targets.building import builder_targets
from tests.fuzz.targets.code_systems import code_system_targets
from tests.fuzz.targets.coding import folder_targets, note_targets
from tests.fuzz.targets.scoring import scoring_targets
from tests.fuzz.targets.target import Target
from tests.fuzz.targets.training import model_targets, recipe_targets

__all__ = ["Target", "targets"]


def targets() -> list[Target]:
    """Return every target."""
    return [
        *note_targets(),
        *folder_targets(),
        *scoring_targets(),
        *code_system_targets(),
        *builder_targets(),
        *recipe_targets(),
        *model_targets(),
    ]
