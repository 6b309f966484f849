"""Coders: from a note to codes with cited evidence."""

from cclearn.coding.base import Coder
from cclearn.coding.guidelines.uncertain import Encounter

__all__ = ["Coder", "Encounter"]
