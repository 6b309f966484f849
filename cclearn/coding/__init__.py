"""Coders: from a note to codes with cited evidence."""

from cclearn.coding.base import Coder
from cclearn.coding.guidelines.uncertain import Encounter
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings

__all__ = ["Coder", "CoderSettings", "Encounter", "load_coder"]
