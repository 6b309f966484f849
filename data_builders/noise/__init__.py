"""Noise: changed spellings of a string that keep its meaning, as they occur in clinical notes.

A model that is trained on a single spelling of each mention memorises the mentions. Many spellings teach
it to read the note and to quote it exactly.
"""

from data_builders.noise.abbreviations import Abbreviations
from data_builders.noise.compose import VARIANT, WEIGHTS, Noise

__all__ = ["VARIANT", "WEIGHTS", "Abbreviations", "Noise"]
