"""Coders: from a note to codes with cited evidence."""

from cclearn.coding.coder import Coder
from cclearn.coding.uncertainty import Encounter

__all__ = ["Coder", "Encounter"]
