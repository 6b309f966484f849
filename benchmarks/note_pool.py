"""Distinct notes of 500 words from the sentences of the template notes. All text is public."""

from __future__ import annotations

import random

from cclearn import Note
from data_builders.synthetic.note_frames import CODED, DISTRACTORS, FILLERS

WORDS = 500

MENTIONS = (
    "acute kidney failure, acute on chronic systolic heart failure, atrial fibrillation, anemia,"
    " acute respiratory failure with hypoxia, asthma, cellulitis of left lower limb, cholelithiasis,"
    " chronic kidney disease stage 3, chronic obstructive pulmonary disease, dehydration, depression,"
    " diverticulitis, essential hypertension, gastroesophageal reflux disease, hyperkalemia,"
    " hyperlipidemia, hypothyroidism, iron deficiency anemia, migraine, morbid obesity, osteoarthritis,"
    " pneumonia, pressure ulcer of sacral region, pulmonary embolism, sepsis, type 2 diabetes mellitus,"
    " urinary tract infection, vitamin D deficiency, unstable angina"
).split(", ")

_SHARE_WITH_MENTION = 0.35


def pool_notes(count: int, seed: int = 0) -> list[Note]:
    """Return notes in which a third of the sentences mention a condition, some of them negated.

    Args:
        count: Number of notes.
        seed: Seed of the random generator.
    """
    rng = random.Random(seed)  # noqa: S311 - not for cryptography
    mentioning = [line for lines in CODED.values() for line in lines if line.endswith(".")]
    mentioning += [line for _, line in DISTRACTORS]
    others = [line for lines in FILLERS.values() for line in lines]
    return [Note(id=f"n{number}", text=_text(rng, mentioning, others)) for number in range(count)]


def _text(rng: random.Random, mentioning: list[str], others: list[str]) -> str:
    conditions = rng.sample(MENTIONS, 6)
    text, words = "", 0
    while words < WORDS:
        line = rng.choice(mentioning if rng.random() < _SHARE_WITH_MENTION else others)
        sentence = line.format(
            mention=rng.choice(conditions),
            age=rng.randint(18, 95),
            sex=rng.choice(("man", "woman")),
            relative=rng.choice(("Mother", "Brother")),
        )
        text += sentence + rng.choice((" ", " ", "\n"))
        words += len(sentence.split())
    return text
