"""Sentence frames in which clinicians name a condition."""

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
"""Frames for any condition."""

COMPLAINT_FRAMES = ("c/o {}", "complains of {}", "CC: {}", "reports {}")
"""Frames for a symptom."""

EVENT_FRAMES = ("s/p {}", "after {}", "injured: {}")
"""Frames for an external cause. For a disease, `s/p` would mean that it is over."""

NEUTRAL_FRAMES = ("# {}", "- {}")
"""Frames for anything, including procedures, circumstances and states of health."""


def frames_for(system: CodeSystem, code: str) -> tuple[str, ...]:
    """Return the frames that keep the meaning of a code, by its chapter.

    Codes of other systems get neutral frames, because they may be procedures.
    """
    traits = system.traits
    if traits.health_status_chapter is None:
        return NEUTRAL_FRAMES
    chapter = system.chapter(code)
    if chapter == traits.health_status_chapter:  # Its codes are not conditions.
        return NEUTRAL_FRAMES
    if chapter == traits.external_causes_chapter:
        return EVENT_FRAMES
    return FRAMES + COMPLAINT_FRAMES if chapter == traits.symptoms_chapter else FRAMES


def framed(text: str, frames: tuple[str, ...], rng: random.Random) -> str:
    """Insert a text into a random frame."""
    frame = frames[int(rng.random() * len(frames))]
    return frame.format(text if frame.endswith(": {}") else lower_first(text))
