"""Coders: from a note to codes with cited evidence."""

from cclearn.coding.coder import Coder

__all__ = ["Coder"]
