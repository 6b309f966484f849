"""Pieces of sentences in which clinicians name a condition."""

from __future__ import annotations

import random

from cclearn.codes import CodeSystem
from data_builders.noise.spelling import lower_first

FRAMES = (
    "dx: {}",
    "Dx {}",
    "Assessment: {}",
    "Impression: {}",
    "Problem: {}",
    "# {}",
    "pt has {}",
    "patient has {}",
    "admitted for {}",
    "seen for {}",
    "treated for {}",
    "found to have {}",
    "known {}",
)
"""Around any condition."""

COMPLAINT_FRAMES = ("c/o {}", "complains of {}", "CC: {}", "reports {}")
"""Around a symptom."""

EVENT_FRAMES = ("s/p {}", "after {}", "injured: {}")
"""Around an external cause: of a disease, `s/p` would say that it is over."""

NEUTRAL_FRAMES = ("# {}", "- {}")
"""Around anything: a procedure, a circumstance, a state of health."""


def frames_for(system: CodeSystem, code: str) -> tuple[str, ...]:
    """Return the frames that keep the meaning of a code, by its chapter.

    What the codes of another system stand for is not known: it may be procedures.
    """
    traits = system.traits
    if traits.health_status_chapter is None:
        return NEUTRAL_FRAMES
    chapter = system.chapter(code)
    if chapter == traits.health_status_chapter:  # Its codes name no condition.
        return NEUTRAL_FRAMES
    if chapter == traits.external_causes_chapter:
        return EVENT_FRAMES
    return FRAMES + COMPLAINT_FRAMES if chapter == traits.symptoms_chapter else FRAMES


def framed(text: str, frames: tuple[str, ...], order: random.Random) -> str:
    """Put a text into one of the frames."""
    frame = frames[int(order.random() * len(frames))]
    return frame.format(text if frame.endswith(": {}") else lower_first(text))
