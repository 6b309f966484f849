"""Changes to a string that leave its meaning: how the same words are really written.

A model that has met every mention in a single spelling learns the mentions by heart; one that has met
them in many learns to read and to quote what stands there.
"""

from data_builders.noise.abbreviations import Abbreviations
from data_builders.noise.compose import VARIANT, WEIGHTS, Noise

__all__ = ["VARIANT", "WEIGHTS", "Abbreviations", "Noise"]
